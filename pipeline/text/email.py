"""E-mail addresses."""

from __future__ import annotations

import numpy as np

from pipeline.text.boundaries import is_digit, is_letter
from pipeline.text.kernel import declare, int64
from pipeline.text.unicode_classes import LETTER, MARK, UNSPACED, code_point, flags_of
from pipeline.text.urls import is_hexadecimal

__all__ = ["domain_end", "email_start", "letter_width"]

LONGEST = 64
"""Bytes of a local part (RFC 5321, 4.5.3.1.1)."""

LONGEST_DOMAIN = 255
"""Bytes of a domain (RFC 5321, 4.5.3.1.2)."""


@declare("int64(uint8[::1], int64, int64)")
def email_start(buffer: np.ndarray, floor: int, at: int) -> int:
    """Return where the local part before the `@` at `at` begins, or `at` if there is none.

    The local part is letters, digits and `. _ % + - '`, beginning with a letter, digit or `_`; the domain is labels of
    letters, digits and hyphens with a dot between them, the last of two letters or more (or `xn--…`). Letters are those
    of ASCII and of any script that is written with spaces between words, in domains of any script (RFC 6531, RFC 5890).
    So `user@localhost`, `a @ b` and `@decorator` stay, and so does `git@…`, which is nobody's address but how the URLs
    of repositories begin. In a URL the local part begins behind the last `%20`, `%3D` or the like; of one that is too
    long its end is taken.

    Args:
        buffer: Bytes of the column.
        floor: Bytes before it are out of sight.
        at: The `@`.
    """
    i = at
    begin = at
    while i > floor:
        c = int64(buffer[i - 1])
        width = 1
        while width < 3 and c & 0xC0 == 0x80 and i - width - 1 >= floor and buffer[i - width] & 0xC0 == 0x80:
            width += 1
        if at - i + width > LONGEST:
            break
        if letter_width(buffer, i - width, at) == width or script_letter(buffer, i - width, at, 0) == width or c == 95:
            begin = i - width
        elif c == 37 and is_escaped_mark(buffer, i, at):
            begin = begin if begin >= i + 2 else i + 2
            break
        elif c != 37 and c != 39 and c != 43 and c != 45 and c != 46:  # % ' + - .
            break
        i -= width
    git = at - begin == 3 and buffer[begin] == 103 and buffer[begin + 1] == 105 and buffer[begin + 2] == 116
    return at if git else begin


@declare("int64(uint8[::1], int64, int64)")
def is_escaped_mark(buffer: np.ndarray, at: int, end: int) -> int:
    """Return 1 if the two hexadecimal digits at `at` are of a space or mark that is in no local part (`%20`, `%3D`)."""
    if at + 1 >= end or not (is_hexadecimal(buffer[at]) and is_hexadecimal(buffer[at + 1])):
        return 0
    tens = int64(buffer[at])
    ones = int64(buffer[at + 1]) | 0x20
    if tens == 50:  # %2.
        return 1 if ones != 53 and ones != 55 and ones != 98 and ones != 100 and ones != 101 else 0  # % ' + - .
    return 1 if tens == 48 or (tens == 51 and ones >= 97) else 0  # controls, and : ; < = > ?


@declare("int64(uint8[::1], int64, int64)")
def domain_end(buffer: np.ndarray, at: int, end: int) -> int:
    """Return where the longest domain at `at` ends whose last label is a top-level one, or 0.

    A top-level label of another script counts behind another such label only (`почта.рф`): a sentence that begins
    behind a full stop without a space is none.
    """
    found = 0
    label = at
    end = min(end, at + LONGEST_DOMAIN)
    first = True
    other = False  # the label before is of another script
    while label < end:
        i = label
        letters = label  # where the letters at the label's start end
        width = letter_width(buffer, i, end)
        foreign = width == 0
        if foreign:
            width = script_letter(buffer, i, end, 1)
        if width == 0:
            break
        while i < end and (width or buffer[i] == 45):
            if letters == i and not is_digit(buffer[i]):
                letters += width
            i += max(width, 1)
            width = letter_width(buffer, i, end) if i < end else 0
            if foreign and width == 0 and i < end:
                width = script_letter(buffer, i, end, 1)
        if not first:
            punycode = label + 4 < i and buffer[label] | 0x20 == 120 and buffer[label + 1] | 0x20 == 110
            if punycode and buffer[label + 2] == 45 and buffer[label + 3] == 45:
                letters = i
                while buffer[letters - 1] == 45:
                    letters -= 1
            whole = letters == i or buffer[letters] == 45
            if letters - label >= (4 if foreign else 2) and whole and (other or not foreign):
                found = letters
        if i >= end or buffer[i] != 46:
            break
        label = i + 1
        first = False
        other = foreign
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


@declare("int64(uint8[::1], int64, int64, int64)")
def script_letter(buffer: np.ndarray, at: int, end: int, unspaced: int) -> int:
    """Return how many bytes the letter or mark from U+0250 to U+D7FF at `at` has, or 0.

    Args:
        buffer: Bytes of the column.
        at: Where it begins.
        end: Bytes from here on are out of sight.
        unspaced: 1 if letters of scripts without spaces between words count too. What stands before an address would
            else be a part of it.
    """
    if not 0xC9 <= buffer[at] <= 0xED:
        return 0
    code = code_point(buffer, at, end)
    if not 0x250 <= code <= 0xD7FF:
        return 0
    flags = flags_of(code)
    if flags & (LETTER | MARK) == 0 or (flags & UNSPACED and not unspaced):
        return 0
    return 2 if code < 0x800 else 3
