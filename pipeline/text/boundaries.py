"""Where a number or a word can begin and end: the neighbours that a match may not have."""

from __future__ import annotations

import numpy as np

from pipeline.text.kernel import declare

__all__ = ["continues", "digits_end", "follows", "is_digit", "is_letter", "is_word"]


@declare("int64(uint8)")
def is_digit(byte: np.uint8) -> int:
    """Return 1 for 0-9."""
    return 1 if 48 <= byte <= 57 else 0


@declare("int64(uint8)")
def is_letter(byte: np.uint8) -> int:
    """Return 1 for A-Z and a-z."""
    return 1 if 65 <= byte <= 90 or 97 <= byte <= 122 else 0


@declare("int64(uint8[::1], int64, int64)")
def digits_end(buffer: np.ndarray, at: int, end: int) -> int:
    """Return where the run of digits at `at` ends (`at` itself if there is none)."""
    i = at
    while i < end and is_digit(buffer[i]):
        i += 1
    return i


@declare("int64(uint8[::1], int64, int64)")
def follows(buffer: np.ndarray, floor: int, at: int) -> int:
    """Return 1 if what begins at `at` is the rest of a longer word or number.

    It is after a letter, a digit or `_`, and after `.` or `-` with a digit before it (`1.2.3`, `12-345`).

    Args:
        buffer: Bytes of the column.
        floor: Bytes before it are out of sight: the row's first byte, or the one after the last redaction.
        at: The byte in question.
    """
    if at <= floor:
        return 0
    before = buffer[at - 1]
    if is_letter(before) or is_digit(before) or before == 95:
        return 1
    if (before == 45 or before == 46) and at - 2 >= floor and is_digit(buffer[at - 2]):
        return 1
    return 0


@declare("int64(uint8[::1], int64, int64)")
def continues(buffer: np.ndarray, at: int, end: int) -> int:
    """Return 1 if what ends before `at` goes on: the mirror image of `follows`."""
    if at >= end:
        return 0
    after = buffer[at]
    if is_letter(after) or is_digit(after) or after == 95:
        return 1
    if (after == 45 or after == 46) and at + 1 < end and is_digit(buffer[at + 1]):
        return 1
    return 0


@declare("int64(uint8)")
def is_word(byte: np.uint8) -> int:
    """Return 1 for A-Z, a-z, 0-9 and `_`."""
    return 1 if 48 <= byte <= 57 or 65 <= byte <= 90 or byte == 95 or 97 <= byte <= 122 else 0
