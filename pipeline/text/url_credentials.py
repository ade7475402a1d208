"""User names with passwords in URLs."""

from __future__ import annotations

import numpy as np

from pipeline.text.boundaries import is_word
from pipeline.text.kernel import declare, int64

__all__ = ["match_url_credentials"]

LONGEST = 512
"""Bytes of credentials that are looked at; tokens in the place of a password have a few hundred."""


@declare("int64(uint8[::1], int64, int64)")
def match_url_credentials(buffer: np.ndarray, at: int, end: int) -> int:
    """Return where the credentials that begin at `at` end, before the `@`, or 0.

    `user:password` of `scheme://user:password@host` (RFC 3986, 3.2.1); the user may be empty, the password not. One
    that is a variable of a template (`$PASSWORD`, `${PASSWORD}`, `{password}`, `<password>`, `%s`, `%(password)s`)
    stays, and so does a row of `*`.

    Args:
        buffer: Bytes of the column.
        at: The byte after `://`.
        end: One past the row's last byte.
    """
    colon = -1
    sign = 0
    i = at
    while i < min(end, at + LONGEST):
        c = int64(buffer[i])
        if c <= 32 or c == 34 or c == 39 or c == 47 or c == 60 or c == 62 or c == 63 or c == 96 or c == 92:
            break  # a space or a control, " ' / < > ? ` \
        if c == 64:
            sign = i
        if c == 58 and colon < 0:
            colon = i
        i += 1
    if colon < at or sign <= colon + 1 or sign + 1 >= end or buffer[sign + 1] <= 32:
        return 0
    return 0 if is_template(buffer, colon + 1, sign) else sign


@declare("int64(uint8[::1], int64, int64)")
def is_template(buffer: np.ndarray, start: int, end: int) -> int:
    """Return 1 if `[start, end)`, which is not empty, is variables of a template, or `*` only.

    Between braces an expression may stand (`{self.password}`, `{secrets[0]!r}`), or the default of a shell's variable
    (`${PASSWORD:-none}`); a brace or a `$` that something else follows (`{x9!Kd8s}`, `$ecret!`) is part of a password.
    """
    i = start
    while i < end:
        dollar = buffer[i] == 36
        begin = i + 1 if dollar else i
        if begin >= end:
            return 0
        if buffer[begin] == 123 or (dollar and buffer[begin] == 40):  # { or $(
            i = braces_end(buffer, begin, end, dollar)
        elif dollar:
            i = begin
            while i < end and is_word(buffer[i]):
                i += 1
        elif buffer[i] == 42:
            i += 1
            continue
        elif buffer[i] == 37:  # %s, %(password)s; %41 is a letter
            return 1 if begin + 1 < end and (buffer[begin + 1] | 0x20 >= 103 or buffer[begin + 1] == 40) else 0
        else:
            return 0
        if i <= begin:
            return 0
    return 1


@declare("int64(uint8[::1], int64, int64, int64)")
def braces_end(buffer: np.ndarray, at: int, end: int, dollar: int) -> int:
    """Return where the braces or parentheses that open at `at` end, or 0 if no variable or expression is in them.

    Args:
        buffer: Bytes of the column.
        at: The `{` or `(`.
        end: Bytes from here on are out of sight.
        dollar: Whether a `$` stands before it.
    """
    depth = 0
    i = at
    while i < end:
        byte = buffer[i]
        if byte == 123 or byte == 40:  # { (
            depth += 1
        elif byte == 125 or byte == 41:
            depth -= 1
            if depth == 0:
                return i + 1
        elif byte == 33 and not dollar:  # !r, !s, !a
            if i + 2 >= end or not (buffer[i + 2] == 125 or buffer[i + 2] == 58):
                return 0
        elif not (is_word(byte) or byte == 46 or byte == 91 or byte == 93 or byte == 44 or byte == 58 or dollar):
            return 0
        i += 1
    return 0
