"""The cleaner `whitespace`: spaces and blank lines that carry nothing."""

from __future__ import annotations

import numpy as np

from pipeline.text.kernel import declare, int64
from pipeline.text.load import HIGH, differ, load
from pipeline.text.put import put_byte, put_bytes

__all__ = ["space_width", "trim_whitespace"]

LINE_FEED = np.uint64(10)
BLOCK = 64
"""Bytes that are looked at at once."""


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
    breaks = 0  # line breaks since the last line that is not blank
    i = start
    while i < end:
        stop = i
        while stop + BLOCK <= end and buffer[i] != 10 and stop >= start + 2 and is_trim(buffer, stop):
            stop += BLOCK
        line = stop  # the lines before it stay as they are
        while line > i and buffer[line - 1] != 10:
            line -= 1
        seen = 0
        while stop < end and buffer[stop] != 10:
            until = min(stop + 8, end)
            if until == stop + 8:
                word = load(buffer, stop, end)
                if (word | ~differ(word, LINE_FEED)) & HIGH == np.uint64(0):  # ASCII without line feed
                    stop = until
                    continue
            while stop < until and buffer[stop] != 10:
                seen |= int64(buffer[stop])
                stop += 1
        last = stop
        wide = False  # whether a byte may begin a space beyond ASCII
        if seen >= 0xC2:
            for k in range(line, stop):
                wide |= buffer[k] == 0xC2 or 0xE1 <= buffer[k] <= 0xE3
        if wide:
            last = filled_end(buffer, line, stop)
        else:
            while last > line and (buffer[last - 1] == 32 or buffer[last - 1] == 9):
                last -= 1
        blank = 0
        if last == line:
            while last > i and buffer[last - 1] == 10:
                last -= 1
                blank += 1
            line = last
        if last > i:
            if length > 0:  # else the line breaks end blank lines at the very start
                for _ in range(min(breaks, 2)):
                    length = put_byte(10, output, at, length)
            breaks = blank
            if wide:
                length = put_bytes(buffer, i, line, output, at, length)
                length = put_spaces(buffer, line, last, output, at, length)
            else:
                length = put_bytes(buffer, i, last, output, at, length)
        breaks += 1
        i = stop + 1
    return length


@declare("int64(uint8[::1], int64)")
def is_trim(buffer: np.ndarray, at: int) -> int:
    """Return 1 if nothing is to be trimmed in the `BLOCK` from `at` on; two bytes before it are read.

    No line there ends with spaces, follows two line feeds, or may hold a space beyond ASCII. The loop has no branch, so
    that a compiler makes vector instructions of it.
    """
    found = False
    for k in range(at, at + BLOCK):
        i = np.uint64(k)
        byte = buffer[i]
        before = buffer[i - np.uint64(1)]
        blank = (before == 32) | (before == 9) | ((before == 10) & (buffer[i - np.uint64(2)] == 10))
        found |= ((byte == 10) & blank) | (byte == 0xC2) | ((byte >= 0xE1) & (byte <= 0xE3))
    return 0 if found else 1


@declare("int64(uint8[::1], int64, int64)")
def filled_end(buffer: np.ndarray, start: int, end: int) -> int:
    """Return where a line ends without the spaces and tabs at its end."""
    found = start
    i = start
    while i < end:
        width = 0 if 32 < buffer[i] < 0xC2 else space_width(buffer, i, end)  # a shortcut for what is surely no space
        i += max(width, 1)
        if width == 0:
            found = i
    return found


@declare("int64(uint8[::1], int64, int64, uint8[::1], int64, int64)")
def put_spaces(buffer: np.ndarray, start: int, end: int, output: np.ndarray, at: int, length: int) -> int:
    """Write part of a line with plain spaces, and return the row's length then; arguments as of `put.put_bytes`."""
    i = start
    while i < end:
        width = 0 if buffer[i] < 0xC2 else space_width(buffer, i, end)
        length = put_byte(32 if width else int64(buffer[i]), output, at, length)
        i += max(width, 1)
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
