"""Characters that hide personal data from a search in bytes: full-width, of no width, and the `@` of a URL as `%40`."""

from __future__ import annotations

import numpy as np

from pipeline.text.kernel import declare, int64
from pipeline.text.load import HIGH, differ, load

__all__ = ["WIDTH", "is_disguised", "undisguise"]

LEADS = np.zeros(256, np.int64)
"""1 for a byte that one of these characters may begin with."""
LEADS[[0x25, 0xC2, 0xE2, 0xEF]] = 1

WIDTH = 3
"""Bytes of what stands for an ASCII character; what stands for none has two or three."""


@declare("int64(uint8[::1], int64, int64)")
def is_disguised(buffer: np.ndarray, start: int, end: int) -> int:
    """Return 1 if a full-width digit or `＠`, a `%40`, or a character of no width in ASCII stands in the row.

    Full-width punctuation alone, which Chinese and Japanese texts are full of, is no disguise.

    Args:
        buffer: Bytes of the column; the row is `[start, end)`.
        start: Its first byte.
        end: One past its last byte.
    """
    i = start
    while i < end:
        if i + 8 <= end:
            word = load(buffer, i, end)
            if (word | ~differ(word & ~HIGH, np.uint64(0x25))) & HIGH == np.uint64(0):  # ASCII without %
                i += 8
                continue
        stop = min(i + 8, end)
        while i < stop:
            if LEADS[buffer[i]]:
                code = disguise_at(buffer, start, i, end)
                character = code & 0xFF
                if code and (character == 0 or character == 64 or 48 <= character <= 57):
                    return 1
            i += 1
    return 0


@declare("int64(uint8[::1], int64, int64, int64)")
def disguise_at(buffer: np.ndarray, start: int, at: int, end: int) -> int:
    """Return what stands at `at`, or 0 if nothing is disguised there.

    Returns:
        `width << 8 | character`: the bytes of the disguise, and the ASCII character behind it, or 0 for none.
    """
    if at + 1 >= end:
        return 0
    lead = int64(buffer[at])
    one = int64(buffer[at + 1])
    two = int64(buffer[at + 2]) if at + 2 < end else 0
    if lead == 0x25:  # %
        return 3 << 8 | 64 if one == 52 and two == 48 else 0
    if lead == 0xEF and (one == 0xBC or one == 0xBD) and two & 0xC0 == 0x80:
        character = 64 * (one - 0xBC) + two - 0x60  # U+FF01 is !
        return 3 << 8 | character if 33 <= character <= 126 else 0
    soft = lead == 0xC2 and one == 0xAD  # soft hyphen
    empty = (lead == 0xE2 and one == 0x80 and 0x8B <= two <= 0x8D) or (lead == 0xE2 and one == 0x81 and two == 0xA0)
    width = 2 if soft else 3 if empty or (lead == 0xEF and one == 0xBB and two == 0xBF) else 0
    if width == 0 or at == start or at + width >= end:
        return 0
    inside = 32 < buffer[at - 1] < 0x80 and 32 < buffer[at + width] < 0x80  # joiners between other letters stay
    return width << 8 if inside else 0


@declare("int64(uint8[::1], int64, int64, uint8[::1], int64, int64[::1], int64[::1], int64, int64)")
def undisguise(
    buffer: np.ndarray,
    start: int,
    end: int,
    output: np.ndarray,
    at: int,
    places: np.ndarray,
    sources: np.ndarray,
    first: int,
    last: int,
) -> int:
    """Write the row without disguises, and return its new length in bytes.

    Between two disguises the output is the row itself, so where its bytes come from is said at these places only: the
    byte `places[k] + n` of the output comes from `sources[k] + n` of the buffer, up to `places[k + 1]`.

    Args:
        buffer: Bytes of the column; the row is `[start, end)`.
        start: Its first byte.
        end: One past its last byte.
        output: Where to write.
        at: Where in it; below 0, nothing is written and only the length is measured.
        places: Where to write the row's begin, and the place behind each disguise, in the output.
        sources: Where to write the same in the buffer.
        first: Where in these two.
        last: Where the row's part of them ends, one more than half the bytes that it loses at least. What is not needed
            is filled with the row's end.
    """
    length = 0
    entry = first
    if at >= 0:
        places[entry] = at
        sources[entry] = start
    i = start
    while i < end:
        byte = int64(buffer[i])
        width = 1
        if LEADS[byte]:
            code = disguise_at(buffer, start, i, end)
            if code:
                byte = code & 0xFF
                width = code >> 8
        if width == 1 or byte:
            if at >= 0:
                output[at + length] = byte
            length += 1
        i += width
        if width > 1 and at >= 0:
            entry += 1
            places[entry] = at + length
            sources[entry] = i
    if at >= 0:
        for rest in range(entry + 1, last):
            places[rest] = at + length
            sources[rest] = end
    return length
