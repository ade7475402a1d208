"""Sketches: how alike two texts are, without the texts.

*Fast Similarity Sketching* (Dahlgaard, Knudsen, Thorup, FOCS 2017) over the set of a text's byte shingles. K buckets
are filled in rounds. In round r < K each shingle is hashed once and offers its value to the one bucket that the hash
names; in round r ≥ K every shingle offers its value to bucket r - K. A bucket keeps the smallest value of the first
round that reaches it. So a long text needs one or two rounds (a K-permutation MinHash hashes each shingle K times), a
short one fills every bucket too, and the share of equal values of two sketches is an unbiased estimate of the Jaccard
similarity of the two sets, with the variance of a K-permutation MinHash.
"""

from __future__ import annotations

import numpy as np

from pipeline.text.hashing import FACTOR, mix
from pipeline.text.kernel import declare, int64

__all__ = ["EMPTY", "sketch"]

EMPTY = np.uint32(0xFFFFFFFF)
"""Every value of the sketch of an empty text, and no value of another."""

FREE = np.uint64(0xFFFFFFFFFFFFFFFF)
LOW = np.uint64(0xFFFFFFFF)


@declare("int64(uint8[::1], int64, int64, int64, uint64[::1], uint32[::1])")
def sketch(buffer: np.ndarray, start: int, end: int, shingle: int, best: np.ndarray, values: np.ndarray) -> int:
    """Write the sketch of the row, and return how many rounds it took.

    Args:
        buffer: Bytes of the column; the row is `[start, end)`.
        start: Its first byte.
        end: One past its last byte.
        shingle: Bytes in a shingle; a shorter text is one shingle, an empty one has none and its values are `EMPTY`.
        best: Scratch, as long as
        values: where to write, K values.
    """
    buckets = len(values)
    for k in range(buckets):
        best[k] = FREE
    free = buckets if end > start else 0
    turn = 0
    while free > 0 and turn < 2 * buckets:
        if turn < buckets:
            fill(buffer, start, end, shingle, turn, -1, best)
        elif best[turn - buckets] == FREE:
            fill(buffer, start, end, shingle, turn, turn - buckets, best)
        turn += 1
        free = 0
        for k in range(buckets):
            if best[k] == FREE:
                free += 1
    for k in range(buckets):
        # The round stands above the value while the smallest is sought; equal values of different rounds are an
        # accident of one in 2³². The largest value makes way for `EMPTY`.
        values[k] = EMPTY if best[k] == FREE else np.uint32(min(best[k] & LOW, LOW - np.uint64(1)))
    return turn


@declare("int64(uint8[::1], int64, int64, int64, int64, int64, uint64[::1])")
def fill(buffer: np.ndarray, start: int, end: int, shingle: int, turn: int, bucket: int, best: np.ndarray) -> int:
    """Offer every shingle's value of round `turn` to `bucket`, or to the one that its hash names if `bucket` is -1.

    Returns:
        How many shingles there were.
    """
    width = min(shingle, end - start)
    buckets = np.uint64(len(best))
    salt = mix(np.uint64(turn + 1) * FACTOR)
    above = np.uint64(turn) << np.uint64(32)
    out = np.uint64(1)  # the factor of a byte that leaves the window
    rolling = np.uint64(0)
    for i in range(start, start + width):
        out *= FACTOR
        rolling = rolling * FACTOR + np.uint64(buffer[i]) + np.uint64(1)
    i = start + width
    while True:
        value = mix(rolling ^ salt)
        slot = ((value >> np.uint64(32)) * buckets) >> np.uint64(32) if bucket < 0 else np.uint64(bucket)
        value = above | (value & LOW)
        if value < best[slot]:
            best[slot] = value
        if i >= end:
            break
        rolling = (
            rolling * FACTOR + np.uint64(buffer[i]) + np.uint64(1) - (np.uint64(buffer[i - width]) + np.uint64(1)) * out
        )
        i += 1
    return int64(i - start - width + 1)
