"""The cleaner `whitespace`: spaces and blank lines that carry nothing."""

from __future__ import annotations

import numpy as np

from pipeline.text.kernel import declare, int64

__all__ = ["space_width", "trim_whitespace"]


@declare("int64(uint8[::1], int64, int64, uint8[::1], int64)")
def trim_whitespace(buffer: np.ndarray, start: int, end: int, output: np.ndarray, at: int) -> int:
    r"""Write the row with its whitespace trimmed, and return its new length in bytes.

    - A Unicode space (no-break space, em space, …) becomes a plain one; tabs stay, and so does indentation.
    - Spaces and tabs at the end of a line go.
    - Two or more blank lines in a row become one (`\n\n\n` → `\n\n`).
    - Blank lines at the start and the end go, with the last line break.

    Arguments as of `controls.remove_controls`.
    """
    length = 0
    breaks = 0  # line breaks since the last character that is not a space
    spaces = start  # where the run of spaces before `i` begins
    i = start
    while i < end:
        byte = buffer[i]
        width = 0 if 32 < byte < 0xC2 else space_width(buffer, i, end)  # a shortcut for what is surely no space
        if width:
            i += width
            continue
        if byte == 10:
            breaks += 1
            i += 1
            spaces = i
            continue
        if breaks:
            if length > 0:  # else they end blank lines at the very start
                for _ in range(min(breaks, 2)):
                    if at >= 0:
                        output[at + length] = 10
                    length += 1
            breaks = 0
        while spaces < i:
            if at >= 0:
                output[at + length] = 9 if buffer[spaces] == 9 else 32
            length += 1
            spaces += max(space_width(buffer, spaces, end), 1)
        if at >= 0:
            output[at + length] = byte
        length += 1
        i += 1
        spaces = i
    return length


@declare("int64(uint8[::1], int64, int64)")
def space_width(buffer: np.ndarray, at: int, end: int) -> int:
    """Return how many bytes the space or tab at `at` has, or 0; Unicode category Zs, and U+0009."""
    first = int64(buffer[at])
    if first < 0x80:
        return 1 if first == 32 or first == 9 else 0
    if first == 0xC2:
        return 2 if at + 1 < end and buffer[at + 1] == 0xA0 else 0
    if (first != 0xE1 and first != 0xE2 and first != 0xE3) or at + 2 >= end:
        return 0
    second = int64(buffer[at + 1])
    third = int64(buffer[at + 2])
    if first == 0xE2:
        if second == 0x80 and (0x80 <= third <= 0x8A or third == 0xAF):
            return 3
        return 3 if second == 0x81 and third == 0x9F else 0
    if first == 0xE1:
        return 3 if second == 0x9A and third == 0x80 else 0
    return 3 if second == 0x80 and third == 0x80 else 0
