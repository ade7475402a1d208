"""The cleaner `unicode`: characters that no text should hold."""

from __future__ import annotations

import numpy as np

from pipeline.text.kernel import declare, int64

__all__ = ["control_width", "remove_controls"]


@declare("int64(uint8[::1], int64, int64, uint8[::1], int64)")
def remove_controls(buffer: np.ndarray, start: int, end: int, output: np.ndarray, at: int) -> int:
    r"""Write the row without byte order marks and control characters, and return its new length in bytes.

    Removed: U+FEFF, DEL, and the C0 and C1 controls save \t, \n, and the line breaks \v \f \r U+0085, which are left
    for `newlines`, so that no two lines are ever glued together.

    Args:
        buffer: Bytes of the column; the row is `[start, end)`.
        start: Its first byte.
        end: One past its last byte.
        output: Where to write.
        at: Where in `output`; below 0, nothing is written and only the length is measured.
    """
    length = 0
    i = start
    while i < end:
        width = control_width(buffer, i, end)
        if width:
            i += width
            continue
        if at >= 0:
            output[at + length] = buffer[i]
        length += 1
        i += 1
    return length


@declare("int64(uint8[::1], int64, int64)")
def control_width(buffer: np.ndarray, at: int, end: int) -> int:
    """Return how many bytes the character to remove at `at` has, or 0 if the character stays."""
    first = int64(buffer[at])
    if first < 0x80:
        return 1 if (first < 32 and not 9 <= first <= 13) or first == 127 else 0
    if first == 0xC2 and at + 1 < end and 0x80 <= buffer[at + 1] < 0xA0 and buffer[at + 1] != 0x85:
        return 2
    if first == 0xEF and at + 2 < end and buffer[at + 1] == 0xBB and buffer[at + 2] == 0xBF:
        return 3
    return 0
