"""How much of a text is URLs."""

from __future__ import annotations

import numpy as np

from pipeline.text.kernel import declare, int64

__all__ = ["url_end", "url_start"]


@declare("int64(uint8[::1], int64, int64, int64)")
def url_start(buffer: np.ndarray, floor: int, colon: int, end: int) -> int:
    r"""Return where the URL begins whose scheme ends at a colon, or -1 if none does.

    A URL is a match of `https?://(?:[A-Za-z0-9$\-_@.&+/:=?#~]|[!*(),]|%[0-9A-Fa-f]{2})+`, NeMo Curator's since 1.x
    (`stages/text/utils/constants.py`): ASCII only, so its characters are bytes. Before that Curator's class had an
    accidental range that let `<>;` through.

    Args:
        buffer: Bytes of the column.
        floor: Where the last URL ended; the URL does not begin before.
        colon: Where the colon stands.
        end: One past the row's last byte.
    """
    if colon + 3 >= end or buffer[colon + 1] != 47 or buffer[colon + 2] != 47:  # //
        return -1
    if url_character_width(buffer, colon + 3, end) == 0:
        return -1
    at = colon - 4
    if at >= floor and buffer[colon - 1] == 115:  # s
        at -= 1
    if at < floor:
        return -1
    if buffer[at] != 104 or buffer[at + 1] != 116 or buffer[at + 2] != 116 or buffer[at + 3] != 112:  # http
        return -1
    return at


@declare("int64(uint8[::1], int64, int64)")
def url_end(buffer: np.ndarray, at: int, end: int) -> int:
    """Return where the run of URL characters from `at` on ends."""
    while at < end:
        width = url_character_width(buffer, at, end)
        if width == 0:
            break
        at += width
    return at


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
