"""Anchors: places in a text that every copy of a passage chooses alike, wherever it stands.

*Winnowing* (Schleimer, Wilkerson, Aiken, SIGMOD 2003). Of every window of `length` bytes the *anchor* is the block of
`block` bytes in it whose hash is smallest, the last of equal ones. It depends on the bytes of the window alone, so two
windows with equal bytes have equal anchors. Windows one behind the other mostly share theirs; a run of windows with
one anchor is a *stretch*.
"""

from __future__ import annotations

import numpy as np

from pipeline.text.hashing import FACTOR, mix
from pipeline.text.kernel import declare, int64
from pipeline.text.shingles import power
from pipeline.text.sketch import hashed, slide

__all__ = ["stretches"]


@declare("int64(uint8[::1], int64, int64, int64, int64, uint64[::1], uint64[::1], int64[::1], int64[::1], int64)")
def stretches(
    buffer: np.ndarray,
    start: int,
    end: int,
    length: int,
    block: int,
    ring: np.ndarray,
    keys: np.ndarray,
    firsts: np.ndarray,
    counts: np.ndarray,
    at: int,
) -> int:
    """Write the stretches of the row in their order, and return how many there are.

    Args:
        buffer: Bytes of the column; the row is `[start, end)`.
        start: Its first byte.
        end: One past its last byte.
        length: Bytes in a window; a shorter row has none.
        block: Bytes in a block, at most `length`.
        ring: Scratch, a power of two of values, at least `length - block + 1`.
        keys: A hash of each stretch's anchor; from `at` on, as are
        firsts: where the stretch's first window begins, and
        counts: how many windows it has.
        at: Where to write in all three; there must be room for `end - start` entries.
    """
    if end - start < length:
        return 0
    width = length - block + 1  # blocks in a window
    last = len(ring) - 1
    out = power(block)
    rolling = hashed(buffer, start, block)
    best = mix(rolling)
    best_at = start
    anchor = start - 1  # of the latest stretch: none
    found = 0
    ring[start & last] = best
    for i in range(start, end - block + 1):
        if i > start:
            rolling = slide(rolling, buffer[i - 1], buffer[i + block - 1], out)
            value = mix(rolling)
            ring[i & last] = value
            if value <= best:
                best = value
                best_at = i
            elif best_at + width <= i:  # it has left the window
                best = value
                best_at = i
                for back in range(i - 1, i - width, -1):
                    if ring[back & last] < best:
                        best = ring[back & last]
                        best_at = back
        first = i - width + 1
        if first >= start:
            if best_at != anchor:
                anchor = best_at
                # The smallest of many hashes is small: mixed once more, keys are spread evenly.
                keys[at + found] = mix(best ^ FACTOR)
                firsts[at + found] = first
                counts[at + found] = 0
                found += 1
            counts[at + found - 1] += 1
    return int64(found)
