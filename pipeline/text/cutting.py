"""Where a cut may begin and end."""

from __future__ import annotations

import numpy as np

from pipeline.text.kernel import declare, int64

__all__ = ["REACH", "cut_bounds"]

REACH = 64
"""Bytes within which white space is looked for."""


@declare("int64(uint8[::1], int64, int64, int64, int64, int64, int64[::1])")
def cut_bounds(buffer: np.ndarray, start: int, end: int, first: int, last: int, lines: int, bounds: np.ndarray) -> int:
    """Write the bounds of a cut within `[first, last)`, and return how many bytes it takes.

    With `lines` it is whole lines. Else it begins and ends beside white space (of ASCII), where there is some within
    `REACH` bytes, or at the row's ends, and at a character (of UTF-8) where there is none. White space before it stays;
    white space at its end goes with it, unless words would grow together.

    Where nothing can be cut within a range, nothing can within any part of it.

    Args:
        buffer: Bytes of the column; the row is `[start, end)`.
        start: Its first byte.
        end: One past its last byte.
        first: The first byte that may go.
        last: One past the last byte that may go.
        lines: Whether only whole lines may go.
        bounds: Two values: where the cut begins and ends, equal if nothing can be cut.
    """
    a = first
    b = last
    if lines != 0:
        while a < end and a > start and buffer[a - 1] != 10:
            a += 1
        while b > start and b < end and buffer[b - 1] != 10:
            b -= 1
    else:
        while a - first < REACH and not open_before(buffer, start, end, a):
            a += 1
        if not open_before(buffer, start, end, a):
            a = first
            while a < end and (int64(buffer[a]) & 0xC0) == 0x80:
                a += 1
        while last - b < REACH and not open_before(buffer, start, end, b):
            b -= 1
        if not open_before(buffer, start, end, b):
            b = last
            while b > start and (int64(buffer[b]) & 0xC0) == 0x80:
                b -= 1
        while a < b and buffer[a] <= 32:
            a += 1
        if a > start and buffer[a - 1] > 32:
            while b > a and b < end and buffer[b - 1] <= 32:
                b -= 1
    bounds[0] = a
    bounds[1] = max(a, b)
    return int64(bounds[1] - a)


@declare("int64(uint8[::1], int64, int64, int64)")
def open_before(buffer: np.ndarray, start: int, end: int, at: int) -> int:
    """Return 1 if no word goes on from before `at` to behind it."""
    return 1 if at <= start or at >= end or buffer[at - 1] <= 32 or buffer[at] <= 32 else 0
