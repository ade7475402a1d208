"""How much of a text is URLs."""

from __future__ import annotations

import numpy as np

from pipeline.text.kernel import declare, int64

__all__ = ["count_url_characters"]


@declare("int64(uint8[::1], int64, int64)")
def count_url_characters(buffer: np.ndarray, start: int, end: int) -> int:
    r"""Return the number of characters in URLs.

    A URL is a match of `https?://(?:[A-Za-z0-9$\-_@.&+/:=?#~]|[!*(),]|%[0-9A-Fa-f]{2})+`, NeMo Curator's since 1.x
    (`stages/text/utils/constants.py`): ASCII only, so its characters are bytes. Before that Curator's class had an
    accidental range that let `<>;` through.
    """
    count = 0
    i = start
    while i + 7 < end:
        if buffer[i] != 104 or buffer[i + 1] != 116 or buffer[i + 2] != 116 or buffer[i + 3] != 112:  # http
            i += 1
            continue
        head = i + (5 if buffer[i + 4] == 115 else 4)  # s
        if head + 3 >= end or buffer[head] != 58 or buffer[head + 1] != 47 or buffer[head + 2] != 47:  # ://
            i += 1
            continue
        j = head + 3
        width = url_character_width(buffer, j, end)
        while width:
            j += width
            width = url_character_width(buffer, j, end) if j < end else 0
        if j == head + 3:
            i += 1
            continue
        count += j - i
        i = j
    return count


@declare("int64(uint8[::1], int64, int64)")
def url_character_width(buffer: np.ndarray, at: int, end: int) -> int:
    """Return how many bytes the URL character at `at` has (3 for `%41`), or 0 if none stands there."""
    c = int64(buffer[at])
    if 97 <= c <= 122 or 64 <= c <= 90 or 48 <= c <= 58:  # a-z, @ A-Z, 0-9 :
        return 1
    if 38 <= c <= 47:  # & ' ( ) * + , - . /
        return 0 if c == 39 else 1
    if c == 37:  # %
        if at + 2 < end and is_hexadecimal(buffer[at + 1]) and is_hexadecimal(buffer[at + 2]):
            return 3
        return 0
    if c == 33 or c == 35 or c == 36 or c == 61 or c == 63 or c == 95 or c == 126:  # ! # $ = ? _ ~
        return 1
    return 0


@declare("int64(uint8)")
def is_hexadecimal(byte: np.uint8) -> int:
    """Return 1 for 0-9, A-F and a-f."""
    return 1 if 48 <= byte <= 57 or 65 <= byte <= 70 or 97 <= byte <= 102 else 0
