"""Characters in UTF-8 bytes: which ones are whitespace, and which rows go beyond ASCII."""

from __future__ import annotations

import numpy as np

from pipeline.text.kernel import declare, int64

__all__ = ["whitespace_width"]


@declare("int64(uint8[::1], int64, int64)")
def whitespace_width(buffer: np.ndarray, at: int, end: int) -> int:
    r"""Return how many bytes the whitespace character at `at` has, or 0 if it is another character.

    Whitespace is what Python's `str.split()` splits at: \t \n \v \f \r, U+001C…U+001F, space, U+0085, U+00A0, U+1680,
    U+2000…U+200A, U+2028, U+2029, U+202F, U+205F, U+3000.
    """
    first = int64(buffer[at])
    if first < 0x80:
        return 1 if first == 32 or 9 <= first <= 13 or 28 <= first <= 31 else 0
    if first == 0xC2:
        if at + 1 < end and (buffer[at + 1] == 0x85 or buffer[at + 1] == 0xA0):
            return 2
        return 0
    if (first != 0xE1 and first != 0xE2 and first != 0xE3) or at + 2 >= end:
        return 0
    second = int64(buffer[at + 1])
    third = int64(buffer[at + 2])
    if first == 0xE2:
        if second == 0x80 and (0x80 <= third <= 0x8A or third == 0xA8 or third == 0xA9 or third == 0xAF):
            return 3
        return 3 if second == 0x81 and third == 0x9F else 0
    if first == 0xE1:
        return 3 if second == 0x9A and third == 0x80 else 0
    return 3 if second == 0x80 and third == 0x80 else 0
