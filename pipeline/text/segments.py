"""Segments of a long row, each read by itself: what all of them come to is what one reading of the row would.

A row is cut at any bytes. A segment `[low, high)` has what *begins* in it, and is read from its first character, word
or cut on, and as far beyond its end as what begins in it reaches. So every character, every shingle is of exactly one
segment, wherever the cuts fall: within a character, a word, a run of whitespace. Texts are UTF-8.
"""

from __future__ import annotations

import numpy as np

from pipeline.text.characters import whitespace_width
from pipeline.text.kernel import declare
from pipeline.text.normalise import character_width, fold
from pipeline.text.shingles import WORDS

__all__ = ["character_start", "fold_segment", "segment_end", "token_start"]


@declare("int64(uint8[::1], int64, int64)")
def character_start(buffer: np.ndarray, at: int, end: int) -> int:
    """Return where the first character from `at` on begins, or `end`; of bytes that are no UTF-8, three are passed."""
    stop = min(at + 3, end)
    while at < stop and 0x80 <= buffer[at] < 0xC0:
        at += 1
    return at


@declare("int64(uint8[::1], int64, int64, int64, int64)")
def token_start(buffer: np.ndarray, start: int, at: int, end: int, unit: int) -> int:
    """Return where the first token (`shingles.CHARACTERS` or `WORDS`) from `at` on begins, or `end`.

    Args:
        buffer: Bytes of the column.
        start: The row's first byte.
        at: From where on, in the row.
        end: One past the last byte that is looked at.
        unit: Of which a shingle is made.
    """
    if unit != WORDS and at > start:
        return character_start(buffer, at, end)
    while start < at < end and buffer[at - 1] != 32:
        at += 1
    return at


@declare("int64(uint8[::1], int64, int64, int64, int64)")
def pass_tokens(buffer: np.ndarray, at: int, end: int, unit: int, count: int) -> int:
    """Return where the token begins that is `count` behind the one at `at`, or `end` if there is none."""
    for _ in range(count):
        if at >= end:
            return end
        if unit == WORDS:
            while at < end and buffer[at] != 32:
                at += 1
            at += 1
        else:
            at += character_width(buffer[at])
    return min(at, end)


@declare("int64(uint8[::1], int64, int64, int64, int64, int64, int64)")
def segment_end(buffer: np.ndarray, start: int, begin: int, high: int, end: int, unit: int, width: int) -> int:
    """Return where the text ends whose shingles are those of the row that begin in `[begin, high)`.

    Args:
        buffer: Bytes of the column; the row is `[start, end)`.
        start: Its first byte.
        begin: What `token_start` returned for the segment.
        high: Where the next segment begins.
        end: One past the row's last byte.
        unit: `shingles.CHARACTERS` or `WORDS`.
        width: Of them in a shingle.

    Returns:
        `begin` if there are none: no token begins there, or too few are left for a shingle.
    """
    if begin >= high or (begin > start and pass_tokens(buffer, begin, end, unit, width - 1) >= end):
        return begin
    return pass_tokens(buffer, token_start(buffer, start, high, end, unit), end, unit, width - 1)


@declare("int64(uint8[::1], int64, int64, int64, uint8[::1], int64)")
def fold_segment(buffer: np.ndarray, low: int, high: int, end: int, output: np.ndarray, at: int) -> int:
    """Write what `normalise.fold` makes of the segment `[low, high)` of a row, and return its length.

    It begins with the first character that is no whitespace; the space before that is the last of an earlier one.

    Args:
        buffer: Bytes of the column.
        low: The segment's first byte.
        high: One past its last byte.
        end: One past the row's last byte.
        output: Where to write; of a segment as many bytes as `fold` may write of a row three bytes longer, and one.
        at: Where in `output`.
    """
    begin = text_start(buffer, character_start(buffer, low, high), high, end)
    if begin >= high:
        return 0
    stop = character_start(buffer, high, end)
    last = stop - 1  # where the last character begins
    while last > begin and 0x80 <= buffer[last] < 0xC0:
        last -= 1
    length = fold(buffer, begin, stop, output, at)
    following = text_start(buffer, stop, end, end)
    if following < end and (following > stop or whitespace_width(buffer, last, end)):
        output[at + length] = 32
        length += 1
    return length


@declare("int64(uint8[::1], int64, int64, int64)")
def text_start(buffer: np.ndarray, at: int, high: int, end: int) -> int:
    """Return where the first character at `at` or behind it begins that is no whitespace; `high` or more if none."""
    while at < high:
        width = whitespace_width(buffer, at, end)
        if width == 0:
            return at
        at += width
    return at
