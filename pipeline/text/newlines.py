r"""The cleaner `newlines`: one kind of line break."""

from __future__ import annotations

import numpy as np

from pipeline.text.kernel import declare, int64

__all__ = ["break_width", "unify_newlines"]


@declare("int64(uint8[::1], int64, int64, uint8[::1], int64)")
def unify_newlines(buffer: np.ndarray, start: int, end: int, output: np.ndarray, at: int) -> int:
    r"""Write the row with `\n` for every line break, and return its new length in bytes.

    A line break is \r\n, \r, \v, \f, U+0085 (next line), U+2028 or U+2029. Nothing else changes.
    Arguments as of `controls.remove_controls`.
    """
    length = 0
    i = start
    while i < end:
        width = break_width(buffer, i, end)
        if at >= 0:
            output[at + length] = buffer[i] if width == 0 else 10
        length += 1
        i += max(width, 1)
    return length


@declare("int64(uint8[::1], int64, int64)")
def break_width(buffer: np.ndarray, at: int, end: int) -> int:
    r"""Return how many bytes the line break at `at` has (`\n` is none: it stays as it is), or 0."""
    first = int64(buffer[at])
    if first < 0x80:
        if first < 11 or first > 13:
            return 0
        return 2 if first == 13 and at + 1 < end and buffer[at + 1] == 10 else 1
    if first == 0xC2 and at + 1 < end and buffer[at + 1] == 0x85:
        return 2
    if first == 0xE2 and at + 2 < end and buffer[at + 1] == 0x80 and 0xA8 <= buffer[at + 2] <= 0xA9:
        return 3
    return 0
