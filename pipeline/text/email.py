"""E-mail addresses."""

from __future__ import annotations

import numpy as np

from pipeline.text.boundaries import is_digit, is_letter
from pipeline.text.kernel import declare, int64

__all__ = ["domain_end", "email_start", "letter_width"]

LONGEST = 64
"""Bytes of a local part (RFC 5321, 4.5.3.1.1)."""

LONGEST_DOMAIN = 255
"""Bytes of a domain (RFC 5321, 4.5.3.1.2)."""


@declare("int64(uint8[::1], int64, int64)")
def email_start(buffer: np.ndarray, floor: int, at: int) -> int:
    """Return where the local part before the `@` at `at` begins, or `at` if there is none.

    The local part is letters, digits and `. _ % + - '`, beginning with a letter, digit or `_`; the domain is labels of
    letters, digits and hyphens with a dot between them, the last of two letters or more (or `xn--…`). Letters are
    ASCII and Latin up to U+024F. So `user@localhost`, `a @ b` and `@decorator` stay, and so does `git@…`, which is
    nobody's address but how the URLs of repositories begin.

    Args:
        buffer: Bytes of the column.
        floor: Bytes before it are out of sight.
        at: The `@`.
    """
    i = at
    begin = at
    while i > floor and at - i <= LONGEST:
        c = int64(buffer[i - 1])
        width = 1
        if c & 0xC0 == 0x80 and i - 2 >= floor:
            width = 2
        letter = letter_width(buffer, i - width, at) == width
        if letter or c == 95:
            begin = i - width
        elif c != 37 and c != 39 and c != 43 and c != 45 and c != 46:  # % ' + - .
            break
        i -= width
    if at - i > LONGEST:
        return at
    git = at - begin == 3 and buffer[begin] == 103 and buffer[begin + 1] == 105 and buffer[begin + 2] == 116
    return at if git else begin


@declare("int64(uint8[::1], int64, int64)")
def domain_end(buffer: np.ndarray, at: int, end: int) -> int:
    """Return where the longest domain at `at` ends whose last label is a top-level one, or 0."""
    found = 0
    label = at
    end = min(end, at + LONGEST_DOMAIN)
    first = True
    while label < end:
        i = label
        letters = label  # where the letters at the label's start end
        width = letter_width(buffer, i, end)
        if width == 0:
            break
        while i < end and (width or buffer[i] == 45):
            if letters == i and not is_digit(buffer[i]):
                letters += width
            i += max(width, 1)
            width = letter_width(buffer, i, end) if i < end else 0
        if not first:
            punycode = label + 4 < i and buffer[label] | 0x20 == 120 and buffer[label + 1] | 0x20 == 110
            if punycode and buffer[label + 2] == 45 and buffer[label + 3] == 45:
                letters = i
                while buffer[letters - 1] == 45:
                    letters -= 1
            whole = letters == i or buffer[letters] == 45
            if letters - label >= 2 and whole:
                found = letters
        if i >= end or buffer[i] != 46:
            break
        label = i + 1
        first = False
    return found


@declare("int64(uint8[::1], int64, int64)")
def letter_width(buffer: np.ndarray, at: int, end: int) -> int:
    """Return how many bytes the letter or digit at `at` has, or 0; letters are A-Z, a-z and U+00C0…U+024F."""
    c = buffer[at]
    if is_letter(c) or is_digit(c):
        return 1
    if 0xC3 <= c <= 0xC9 and at + 1 < end and buffer[at + 1] & 0xC0 == 0x80:
        return 2
    return 0
