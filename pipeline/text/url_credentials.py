"""User names with passwords in URLs."""

from __future__ import annotations

import numpy as np

from pipeline.text.kernel import declare, int64

__all__ = ["match_url_credentials"]

LONGEST = 512
"""Bytes of credentials that are looked at; tokens in the place of a password have a few hundred."""


@declare("int64(uint8[::1], int64, int64)")
def match_url_credentials(buffer: np.ndarray, at: int, end: int) -> int:
    """Return where the credentials that begin at `at` end, before the `@`, or 0.

    `user:password` of `scheme://user:password@host` (RFC 3986, 3.2.1), neither of them empty. A password that is a
    variable of a template (`$PASSWORD`, `{password}`, `<password>`, `%s`) stays, and so does a row of `*`.

    Args:
        buffer: Bytes of the column.
        at: The byte after `://`.
        end: One past the row's last byte.
    """
    colon = 0
    sign = 0
    i = at
    while i < min(end, at + LONGEST):
        c = int64(buffer[i])
        if c <= 32 or c == 34 or c == 39 or c == 47 or c == 60 or c == 62 or c == 63 or c == 96 or c == 92:
            break  # a space or a control, " ' / < > ? ` \
        if c == 64:
            sign = i
        if c == 58 and colon == 0:
            colon = i
        i += 1
    if colon <= at or sign <= colon + 1 or sign + 1 >= end or buffer[sign + 1] <= 32:
        return 0
    first = int64(buffer[colon + 1])
    if first == 36 or first == 123 or first == 42 or (first == 37 and (buffer[colon + 2] | 0x20) >= 103):
        return 0  # $ { * and %s, but not %41
    return sign
