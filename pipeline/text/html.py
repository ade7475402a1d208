"""How much of an HTML text a browser would show.

Tags, comments, declarations and processing instructions are found as the HTML standard's tokeniser finds them (WHATWG,
13.2.5; what is not closed runs to the end), and what stands in `script` and `style` is not shown. A character reference
is one character; a named one only with its semicolon. Everything else is text, white space too: a text without markup
is all visible.
"""

from __future__ import annotations

from html.entities import html5

import numpy as np

from pipeline.text.boundaries import is_digit, is_letter
from pipeline.text.kernel import declare, int64

__all__ = ["count_visible_characters"]

_NAMES = sorted(name.encode() for name in html5 if name.endswith(";"))
NAMES = np.frombuffer(b"".join(_NAMES), np.uint8).copy()
"""The names of the standard's character references with their semicolons, in order."""
NAME_BOUNDS = np.cumsum([0] + [len(name) for name in _NAMES]).astype(np.int32)
LONGEST_NAME = max(len(name) for name in _NAMES)

MARKUP = 2
KINDS = np.array([byte & 0xC0 != 0x80 for byte in range(256)], np.uint8)
"""How many characters a byte begins; `MARKUP` if it may be markup."""
KINDS[[ord("<"), ord("&")]] = MARKUP

BLOCK = 64
"""Bytes that are asked at once whether there is markup in them."""

GREATER = int64(62)  # NumPy's, for Numba would compile `after` once more for a literal

RAW = np.frombuffer(b"scriptstyle", np.uint8).copy()
"""The names of elements whose content is no text."""


@declare("int64(uint8[::1], int64, int64)")
def count_visible_characters(buffer: np.ndarray, start: int, end: int) -> int:
    """Return the number of characters that a browser would show."""
    count = 0
    i = start
    while i < end:
        if i + BLOCK <= end:
            characters = characters_without_markup(buffer, i)
            if characters >= 0:
                count += characters
                i += BLOCK
                continue
        stop = min(i + BLOCK, end)
        while i < stop:
            kind = int64(KINDS[buffer[np.uint64(i)]])
            if kind != MARKUP:
                count += kind
                i += 1
                continue
            if buffer[i] == 60:
                after_markup = markup_stop(buffer, i, end)
                if after_markup:
                    i = after_markup
                    continue
                i += 1
            else:
                i = max(reference_stop(buffer, i, end), i + 1)
            count += 1
    return count


@declare("int64(uint8[::1], int64)", inline=True)
def characters_without_markup(buffer: np.ndarray, at: int) -> int:
    """Return the characters of the `BLOCK` bytes at `at`, or -1 if there may be markup in them.

    The first loop has no branch and counts nothing, so that a compiler makes vector instructions of it.
    """
    markup = beyond = False
    for k in range(at, at + BLOCK):
        byte = buffer[np.uint64(k)]
        markup |= (byte == 60) | (byte == 38)
        beyond |= byte > 127
    if markup or not beyond:
        return -1 if markup else BLOCK
    characters = 0
    for k in range(at, at + BLOCK):
        characters += buffer[np.uint64(k)] & 0xC0 != 0x80
    return characters


@declare("int64(uint8[::1], int64, int64)")
def markup_stop(buffer: np.ndarray, at: int, end: int) -> int:
    """Return where the markup that begins with the `<` at `at` has ended, or 0 if it is text."""
    if at + 1 >= end:
        return 0
    second = buffer[at + 1]
    if is_letter(second):
        stop = tag_stop(buffer, at + 1, end)
        for first, last in ((0, 6), (6, 11)):  # script, style
            if is_raw(buffer, at + 1, end, first, last):
                return raw_stop(buffer, stop, end, first, last)
        return stop
    if second == 47:  # /
        if at + 2 >= end:
            return 0
        return tag_stop(buffer, at + 2, end) if is_letter(buffer[at + 2]) else after(buffer, at + 2, end, GREATER)
    if second == 33:  # !
        if at + 3 < end and buffer[at + 2] == 45 and buffer[at + 3] == 45:
            return comment_stop(buffer, at + 4, end)
        return after(buffer, at + 2, end, GREATER)
    return after(buffer, at + 2, end, GREATER) if second == 63 else 0  # ?


@declare("int64(uint8)")
def is_blank(byte: np.uint8) -> int:
    """Return 1 for what parts attributes: tab, line feed, form feed, carriage return, space."""
    return 1 if byte == 32 or byte == 10 or byte == 9 or byte == 12 or byte == 13 else 0


@declare("int64(uint8[::1], int64, int64, int64)")
def after(buffer: np.ndarray, at: int, end: int, byte: int) -> int:
    """Return one past the next `byte`, or `end`."""
    i = at
    while i < end:
        i += 1
        if buffer[i - 1] == byte:
            return i
    return end


@declare("int64(uint8[::1], int64, int64)")
def tag_stop(buffer: np.ndarray, at: int, end: int) -> int:
    """Return one past the `>` that ends the tag, which is none in a value in quotes; `at` is in the tag's name."""
    i = at
    while i < end:
        byte = buffer[i]
        i += 1
        if byte == 62:
            return i
        if byte != 61:  # =
            continue
        while i < end and is_blank(buffer[i]):
            i += 1
        if i < end and (buffer[i] == 34 or buffer[i] == 39):
            i = after(buffer, i + 1, end, int64(buffer[i]))
        else:
            while i < end and buffer[i] != 62 and not is_blank(buffer[i]):
                i += 1
    return end


@declare("int64(uint8[::1], int64, int64)")
def comment_stop(buffer: np.ndarray, at: int, end: int) -> int:
    """Return one past the comment whose `<!--` ends before `at`: at `-->`, `--!>`, or at once at `>` and `->`."""
    if at < end and buffer[at] == 62:
        return at + 1
    if at + 1 < end and buffer[at] == 45 and buffer[at + 1] == 62:
        return at + 2
    for i in range(at, end - 2):
        if buffer[i] == 45 and buffer[i + 1] == 45:
            if buffer[i + 2] == 62:
                return i + 3
            if buffer[i + 2] == 33 and i + 3 < end and buffer[i + 3] == 62:
                return i + 4
    return end


@declare("int64(uint8[::1], int64, int64, int64, int64)")
def is_raw(buffer: np.ndarray, at: int, end: int, first: int, last: int) -> int:
    """Return 1 if the tag's name at `at` is `RAW[first:last]`."""
    stop = at + last - first
    if stop > end:
        return 0
    for k in range(last - first):
        if buffer[at + k] | 0x20 != RAW[first + k]:
            return 0
    return 1 if stop == end or buffer[stop] == 62 or buffer[stop] == 47 or is_blank(buffer[stop]) else 0


@declare("int64(uint8[::1], int64, int64, int64, int64)")
def raw_stop(buffer: np.ndarray, at: int, end: int, first: int, last: int) -> int:
    """Return one past the end tag of the element `RAW[first:last]`, whose content begins at `at`."""
    for i in range(at, end - 1):
        if buffer[i] == 60 and buffer[i + 1] == 47 and is_raw(buffer, i + 2, end, first, last):
            return tag_stop(buffer, i + 2, end)
    return end


@declare("int64(uint8[::1], int64, int64)")
def reference_stop(buffer: np.ndarray, at: int, end: int) -> int:
    """Return where the character reference that begins with the `&` at `at` has ended, or 0 if it is text."""
    i = at + 1
    if i < end and buffer[i] == 35:  # #
        hexadecimal = i + 1 < end and buffer[i + 1] | 0x20 == 120
        first = i + 2 if hexadecimal else i + 1
        i = first
        while i < end:
            byte = buffer[i]
            if not (is_digit(byte) or (hexadecimal and 97 <= byte | 0x20 <= 102)):
                break
            i += 1
        if i == first:
            return 0
        return i + 1 if i < end and buffer[i] == 59 else i
    while i < end and i - at <= LONGEST_NAME and (is_letter(buffer[i]) or is_digit(buffer[i])):
        i += 1
    if i >= end or buffer[i] != 59:
        return 0
    low = 0
    high = len(NAME_BOUNDS) - 1
    while low < high:
        middle = (low + high) >> 1
        order = compare(buffer, at + 1, i + 1, int64(NAME_BOUNDS[middle]), int64(NAME_BOUNDS[middle + 1]))
        if order == 0:
            return i + 1
        if order < 0:
            high = middle
        else:
            low = middle + 1
    return 0


@declare("int64(uint8[::1], int64, int64, int64, int64)")
def compare(buffer: np.ndarray, start: int, end: int, first: int, last: int) -> int:
    """Return how `buffer[start:end]` compares with `NAMES[first:last]`: below 0 if it comes before, 0 if it is it."""
    for k in range(min(end - start, last - first)):
        difference = int64(buffer[start + k]) - int64(NAMES[first + k])
        if difference != 0:
            return difference
    return (end - start) - (last - first)
