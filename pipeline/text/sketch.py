"""Sketches: how alike two texts are, without the texts.

*Fast Similarity Sketching* (Dahlgaard, Knudsen, Thorup, FOCS 2017) over the set of a text's shingles. K buckets
are filled in rounds. In round r < K each shingle is hashed once and offers its value to the one bucket that the hash
names; in round r ≥ K every shingle offers its value to bucket r - K. A bucket keeps the smallest value of the first
round that reaches it. So a long text needs one or two rounds (a K-permutation MinHash hashes each shingle K times), a
short one fills every bucket too, and the share of equal values of two sketches is an unbiased estimate of the Jaccard
similarity of the two sets, with the variance of a K-permutation MinHash.

A text that leaves more than one bucket in four empty, or after two rounds one in sixteen, and so on, has few
*different* shingles. They are gathered in a table, and the other rounds run over them instead of over the text: the
values are the same, and no text takes more than a few times its length. Where buckets fill faster, a further round or
two over the text cost less than the table would.

On a processor shingles are hashed many at a time, in loops that become vector instructions, and those of a row that
fit the table are kept there for the rounds to come. These cost so little that the different ones are gathered only
where `LATE` rounds were not enough, or where there are so many shingles that few of them must be different (`MANY`).
Of a longer text most values are above what all buckets hold already, and go no further. A thread of a GPU would only
go to its memory for that: it offers each shingle as it finds it. The values are the same.
"""

from __future__ import annotations

import numpy as np

from pipeline.text.hashing import FACTOR, mix, slots_for
from pipeline.text.kernel import declare, int64
from pipeline.text.load import is_plain, load
from pipeline.text.normalise import character, character_width
from pipeline.text.shingles import (
    CHARACTERS,
    WORDS,
    beyond_ascii,
    clear_window,
    next_token,
    power,
    write_shingles,
)

__all__ = ["EMPTY", "MIXED", "TABLE", "sketch"]

EMPTY = np.uint32(0xFFFFFFFF)
"""Every value of the sketch of an empty text, and no value of another."""

TABLE = 8192
"""Slots of the table of different shingles: a text with more than half as many fills 112 buckets in one round, unless
one in 10¹³ does not."""

MIXED = 1024
"""Shingles that a processor hashes at a time."""

FEW = 16
"""Shingles for which that is not worth its beginning."""

LATE = 12
"""Rounds over kept shingles that cost about what gathering the different ones does: a row of ten words has as many."""

MANY = 4
"""So many different shingles for each bucket leave one in 55 empty: who has as many and leaves one in 4, has few."""

NARROW = 8
"""Characters of a shingle that are sooner multiplied one by one, for many shingles at once, than rolled on: there each
hash waits for the one before it."""

FREE = np.uint64(0xFFFFFFFFFFFFFFFF)
LOW = np.uint64(0xFFFFFFFF)
ONE = np.uint64(1)


@declare(
    "int64(uint8[::1], int64, int64, int64, int64, uint64[::1], uint64[::1], uint64[::1], uint64[::1], uint32[::1])"
)
def sketch(
    buffer: np.ndarray,
    start: int,
    end: int,
    unit: int,
    width: int,
    window: np.ndarray,
    table: np.ndarray,
    mixed: np.ndarray,
    best: np.ndarray,
    values: np.ndarray,
) -> int:
    """Write the sketch of the row, and return how many rounds it took.

    Args:
        buffer: Bytes of the column; the row is `[start, end)`.
        start: Its first byte.
        end: One past its last byte.
        unit: `shingles.CHARACTERS` or `shingles.WORDS`.
        width: Of them in a shingle; a shorter text is one shingle, an empty one has none and its values are `EMPTY`.
        window: Scratch, `width + shingles.SCRATCH` values.
        table: Scratch, a power of two of values: `TABLE`, or fewer.
        mixed: Scratch, as many values as shingles are hashed at a time; of one, each is offered as it is found.
        best: K values; behind this `turn << 32 | value` of each bucket, so that of texts cut from one (`segments`) the
            smaller is that of the whole.
        values: Where to write, K values, or none where `best` is all that is wanted.
    """
    buckets = len(best)
    for k in range(buckets):
        best[k] = FREE
    # Of ASCII a character is a byte, and bytes are the faster way to the same hashes.
    tokens = unit if unit != CHARACTERS or beyond_ascii(buffer, start, end) else 0
    different = -2  # unknown; -1 is too many for the table
    # All shingles are kept between the rounds where they surely fit; how many there are is known when they are there.
    keeps = len(mixed) > 1 and end - start <= len(table)
    narrow = tokens != WORDS and width <= min(NARROW, len(mixed)) and 1 < len(mixed) <= len(table)
    kept = 0
    left = buckets  # empty buckets that are few enough for another round over the text
    free = buckets if end > start else 0
    turn = 0
    while free > 0 and turn < 2 * buckets:
        if turn < buckets or best[turn - buckets] == FREE:
            bucket = -1 if turn < buckets else turn - buckets
            if different == -2 and free > left and (kept == 0 or turn >= LATE or kept > MANY * buckets):
                different = gather(buffer, start, end, tokens, width, window, table)
                kept = max(different, 0)
            if narrow and kept == 0:
                place = start
                while place < end:
                    count = write_narrow(buffer, place, end, tokens, width, window, mixed, table, kept)
                    place = int64(window[0])
                    if keeps:
                        kept += count
                    else:
                        offer_all(table, count, turn, bucket, mixed, best)
            elif keeps and kept == 0 and tokens:
                kept = write_shingles(buffer, start, end, tokens, width, window, table, int64(0))
            elif keeps and kept == 0:
                kept = write_hashes(buffer, start, end, width, table)
            if kept > FEW and len(mixed) > 1:
                offer_all(table, kept, turn, bucket, mixed, best)
            elif kept > 0:
                for k in range(kept):
                    offer(table[k], turn, bucket, best)
            elif narrow:
                pass  # they have been offered
            elif tokens:
                fill_tokens(buffer, start, end, tokens, width, window, turn, bucket, best)
            else:
                fill(buffer, start, end, width, turn, bucket, best)
        turn += 1
        left //= 4
        free = 0
        for k in range(buckets):
            if best[k] == FREE:
                free += 1
    for k in range(len(values)):
        # The round stands above the value while the smallest is sought; equal values of different rounds are an
        # accident of one in 2³². The largest value makes way for `EMPTY`.
        values[k] = EMPTY if best[k] == FREE else np.uint32(min(best[k] & LOW, LOW - np.uint64(1)))
    return turn


@declare("int64(uint8[::1], int64, int64, int64, uint64[::1])")
def write_hashes(buffer: np.ndarray, start: int, end: int, shingle: int, output: np.ndarray) -> int:
    """Write the hash of every byte shingle of `[start, end)`, which is not empty, and return how many there are."""
    width = min(shingle, end - start)
    out = power(width)
    rolling = hashed(buffer, start, width)
    output[0] = rolling
    for k in range(1, end - start - width + 1):
        first = np.uint64(start + k)
        rolling = slide(rolling, buffer[first - ONE], buffer[first + np.uint64(width - 1)], out)
        output[k] = rolling
    return int64(end - start - width + 1)


@declare("int64(uint8[::1], int64, int64, int64, int64, uint64[::1], uint64[::1], uint64[::1], int64)")
def write_narrow(
    buffer: np.ndarray,
    start: int,
    end: int,
    tokens: int,
    shingle: int,
    window: np.ndarray,
    codes: np.ndarray,
    output: np.ndarray,
    at: int,
) -> int:
    """Write the hashes of as many shingles from `start` on as have their characters in `codes`, and return how many.

    Args:
        buffer: Bytes of the column; the row ends at
        end: One past its last byte.
        start: Where a shingle begins.
        tokens: The unit; 0 for bytes.
        shingle: Of them in a shingle, at most `NARROW`.
        window: Scratch: the first value becomes the place where the next shingle begins, `end` if there is none.
        codes: Scratch, as long as a shingle or longer.
        output: Where to write,
        at: from this place on.
    """
    size = int64(0)
    following = end
    i = start
    for phase in range(2):
        if phase:
            following = i
        limit = len(codes) if phase else len(codes) - shingle + 1
        while size < limit and i < end:
            if tokens == 0:
                more = min(limit - size, end - i)
                for k in range(more):
                    codes[np.uint64(size + k)] = np.uint64(buffer[np.uint64(i + k)]) + ONE
                size += more
                i += more
            elif size + 8 <= limit and i + 8 <= end and is_plain(load(buffer, i, end)):
                for k in range(8):
                    codes[np.uint64(size + k)] = np.uint64(buffer[np.uint64(i + k)]) + ONE
                size += 8
                i += 8
            else:
                byte = int64(buffer[np.uint64(i)])
                codes[size] = np.uint64((byte if byte < 0x80 else character(buffer, i, end)) + 1)
                size += 1
                i += character_width(byte)
    window[0] = np.uint64(following if i < end else end)
    width = min(shingle, size)
    count = size - width + 1
    for k in range(count):
        output[np.uint64(at + k)] = codes[k]
    for j in range(1, width - 1, 2):  # two at a time, for each goes to memory and back
        for k in range(count):
            place = np.uint64(at + k)  # used as it is; a signed index may count from the end, and nothing is a vector
            value = output[place] * FACTOR + codes[np.uint64(j + k)]
            output[place] = value * FACTOR + codes[np.uint64(j + 1 + k)]
    if width % 2 == 0:
        for k in range(count):
            place = np.uint64(at + k)
            output[place] = output[place] * FACTOR + codes[np.uint64(width - 1 + k)]
    return count


@declare("int64(uint64[::1], int64, int64, int64, uint64[::1], uint64[::1])")
def offer_all(shingles: np.ndarray, count: int, turn: int, bucket: int, mixed: np.ndarray, best: np.ndarray) -> int:
    """Offer the values that the first `count` shingles have in round `turn`, as `offer` each, and return `count`."""
    salt = mix(np.uint64(turn + 1) * FACTOR)
    high = np.uint64(turn) << np.uint64(32)
    buckets = np.uint64(len(best))
    for first in range(0, count, len(mixed)):
        size = min(len(mixed), count - first)
        largest = np.uint64(0)
        for k in range(len(best)):
            largest = max(largest, best[k])
        for k in range(size):
            mixed[k] = mix(shingles[np.uint64(first + k)] ^ salt)  # as in `write_narrow`
        # Of a long text hardly a value is below what all buckets have: the others are left out, without branches.
        if largest != FREE:
            left = 0
            for k in range(size):
                value = mixed[k]
                mixed[left] = value
                left += (high | (value & LOW)) < largest
            size = left
        for k in range(size):
            value = mixed[k]
            slot = ((value >> np.uint64(32)) * buckets) >> np.uint64(32) if bucket < 0 else np.uint64(bucket)
            # Written whether it is smaller or not: which of the two, a processor would guess wrong too often.
            best[slot] = min(high | (value & LOW), best[slot])
    return count


@declare("int64(uint8[::1], int64, int64, int64, int64, int64, uint64[::1])")
def fill(buffer: np.ndarray, start: int, end: int, shingle: int, turn: int, bucket: int, best: np.ndarray) -> int:
    """Offer each byte shingle's value in round `turn` to `bucket`, or to the one that its hash names if that is -1.

    Returns:
        How many shingles there were.
    """
    width = min(shingle, end - start)
    out = power(width)
    rolling = hashed(buffer, start, width)
    i = start + width
    offer(rolling, turn, bucket, best)
    while i < end:
        rolling = slide(rolling, buffer[np.uint64(i - width)], buffer[np.uint64(i)], out)
        offer(rolling, turn, bucket, best)
        i += 1
    return int64(end - start - width + 1)


@declare("int64(uint8[::1], int64, int64, int64, int64, uint64[::1], int64, int64, uint64[::1])")
def fill_tokens(
    buffer: np.ndarray,
    start: int,
    end: int,
    unit: int,
    width: int,
    window: np.ndarray,
    turn: int,
    bucket: int,
    best: np.ndarray,
) -> int:
    """Do as `fill` with every shingle of characters or words, and return how many of these the row has."""
    clear_window(window, width)
    i = start
    while i < end:
        i = next_token(buffer, i, end, unit, width, window)
        if window[width + 2] >= np.uint64(width) or i >= end:
            offer(window[width], turn, bucket, best)
    return int64(window[width + 2])


@declare("int64(uint8[::1], int64, int64, int64, int64, uint64[::1], uint64[::1])")
def gather(
    buffer: np.ndarray, start: int, end: int, tokens: int, width: int, window: np.ndarray, table: np.ndarray
) -> int:
    """Write the hash of every different shingle to the front of `table`, and return how many there are.

    Args:
        buffer: Bytes of the column; the row is `[start, end)`.
        start: Its first byte.
        end: One past its last byte.
        tokens: The unit; 0 for bytes.
        width: Of them in a shingle.
        window: Scratch.
        table: Where to write.

    Returns:
        -1 if they would fill more than half of the table, or in the one case in 2⁶⁴ that a hash is `FREE`.
    """
    slots = min(len(table), slots_for(end - start))
    for k in range(slots):
        table[k] = FREE
    found = 0
    if tokens:
        clear_window(window, width)
        i = start
        while i < end:
            i = next_token(buffer, i, end, tokens, width, window)
            if window[width + 2] >= np.uint64(width) or i >= end:
                found += enter(window[width], table, slots)
                if 2 * found > slots or window[width] == FREE:
                    return -1
    else:
        size = min(width, end - start)
        out = power(size)
        rolling = hashed(buffer, start, size)
        i = start + size
        while True:
            found += enter(rolling, table, slots)
            if 2 * found > slots or rolling == FREE:
                return -1
            if i >= end:
                break
            rolling = slide(rolling, buffer[i - size], buffer[i], out)
            i += 1
    at = 0
    for k in range(slots):
        if table[k] != FREE:
            table[at] = table[k]
            at += 1
    return found


@declare("int64(uint64, uint64[::1], int64)", inline=True)
def enter(shingle: np.uint64, table: np.ndarray, slots: int) -> int:
    """Enter a shingle into the first `slots` of the table, and return 1 if it was not there."""
    last = np.uint64(slots - 1)
    slot = mix(shingle) & last
    while table[slot] != FREE and table[slot] != shingle:
        slot = (slot + np.uint64(1)) & last
    if table[slot] != FREE:
        return 0
    table[slot] = shingle
    return 1


@declare("int64(uint64, int64, int64, uint64[::1])")
def offer(shingle: np.uint64, turn: int, bucket: int, best: np.ndarray) -> int:
    """Offer the value that a shingle has in round `turn`, and return the bucket; arguments as of `fill`."""
    value = mix(shingle ^ mix(np.uint64(turn + 1) * FACTOR))
    slot = ((value >> np.uint64(32)) * np.uint64(len(best))) >> np.uint64(32) if bucket < 0 else np.uint64(bucket)
    value = np.uint64(turn) << np.uint64(32) | (value & LOW)
    if value < best[slot]:
        best[slot] = value
    return int64(slot)


@declare("uint64(uint8[::1], int64, int64)")
def hashed(buffer: np.ndarray, at: int, width: int) -> np.uint64:
    """Return the polynomial hash of `width` bytes."""
    value = np.uint64(0)
    for i in range(at, at + width):
        value = value * FACTOR + np.uint64(buffer[i]) + np.uint64(1)
    return value


@declare("uint64(uint64, uint8, uint8, uint64)")
def slide(value: np.uint64, first: np.uint8, following: np.uint8, out: np.uint64) -> np.uint64:
    """Return the hash of the bytes one further: without the `first`, whose factor is `out`, with the `following`."""
    return value * FACTOR + np.uint64(following) + np.uint64(1) - (np.uint64(first) + np.uint64(1)) * out
