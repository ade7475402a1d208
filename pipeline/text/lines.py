r"""Lines: how they begin and end, at every line feed (`end_line`) and wherever `str.splitlines` parts (`end_piece`)."""

from __future__ import annotations

import numpy as np

from pipeline.text.ellipses import ends_with_dots, ends_with_ellipsis
from pipeline.text.kernel import declare, int64
from pipeline.text.measures import (
    BULLET_LINES,
    BULLET_PIECES,
    ELLIPSIS_LINES,
    ELLIPSIS_PIECES,
    FEW_WORD_LINES,
    FILLED_LINES,
    LONGEST_LINE,
    MARKED_LINES,
    PIECES,
    SHORT_LINES,
    TERMINAL_LINES,
    UNMARKED_LINES,
)
from pipeline.text.unicode_classes import BULLET, SPACE, TERMINAL, code_point, flags_of

__all__ = ["end_line", "end_piece", "trim_end"]

SHORT = 30
"""Characters of the longest short line (datatrove's FineWeb filter)."""
FEW = 3
"""Fewer words are few in a line (datatrove's C4 filter)."""


@declare("int64(uint8[::1], int64, int64, int64, int64, int64, int64[::1])", inline=True)
def end_line(
    buffer: np.ndarray, first: int, last: int, stop: int, characters: int, words: int, measures: np.ndarray
) -> int:
    """Count a line by its marks, and return 1 if it is filled.

    Args:
        buffer: Bytes of the column; the line ends at `stop`.
        first: Where its first word begins; -1 in a line of whitespace.
        last: Where its last word ends.
        stop: Its line feed, or the end of the text.
        characters: How many it has, whitespace included.
        words: How many it has.
        measures: What is counted.
    """
    measures[LONGEST_LINE] = max(measures[LONGEST_LINE], characters)
    if first < 0:
        return 0
    measures[FILLED_LINES] += 1
    if buffer[first] >= 0x80:  # no bullet is ASCII
        code = code_point(buffer, first, last)
        if code >= 0 and flags_of(code) & BULLET:
            measures[BULLET_LINES] += 1
    mark = buffer[last - 1]
    ends = mark == 46 or mark == 63 or mark == 33  # . ? !
    marked = ends or mark == 34 or mark == 39  # " '
    measures[MARKED_LINES] += 1 if marked else 0
    measures[UNMARKED_LINES] += 0 if marked and not ends_with_dots(buffer, first, last) else 1
    measures[ELLIPSIS_LINES] += 1 if ends_with_ellipsis(buffer, first, last) else 0
    if mark >= 0x80:
        code = code_point(buffer, last_character(buffer, first, last), last)
        ends = code >= 0 and flags_of(code) & TERMINAL != 0
    measures[TERMINAL_LINES] += 1 if ends and last == stop else 0
    measures[FEW_WORD_LINES] += 1 if words < FEW else 0
    measures[SHORT_LINES] += 1 if characters <= SHORT else 0
    return 1


@declare("int64(uint8[::1], int64, int64, int64[::1])", inline=True)
def end_piece(buffer: np.ndarray, first: int, last: int, measures: np.ndarray) -> int:
    """Count a line of `str.splitlines` whose words are `[first, last)`, and return how many there are now.

    Args:
        buffer: Bytes of the column.
        first: Where its first word begins; -1 in a line of whitespace.
        last: Where its last word ends.
        measures: What is counted.
    """
    measures[PIECES] += 1
    if first >= 0:
        if buffer[first] == 45 or code_point(buffer, first, last) == 0x2022:  # - •
            measures[BULLET_PIECES] += 1
        if ends_with_dots(buffer, first, last):
            measures[ELLIPSIS_PIECES] += 1
    return int64(measures[PIECES])


@declare("int64(uint8[::1], int64, int64)")
def last_character(buffer: np.ndarray, start: int, end: int) -> int:
    """Return where the last character of `[start, end)`, which is not empty, begins."""
    at = end - 1
    while at > start and at > end - 4 and buffer[at] & 0xC0 == 0x80:
        at -= 1
    return at


@declare("int64(uint8[::1], int64, int64)")
def trim_end(buffer: np.ndarray, start: int, end: int) -> int:
    """Return where the last word of `[start, end)` ends; `start` if there is none."""
    while end > start:
        at = last_character(buffer, start, end)
        code = code_point(buffer, at, end)
        # A whole character of whitespace, not one before stray bytes.
        if code < 0 or not flags_of(code) & SPACE or (code < 0x80 and at != end - 1):
            break
        if code >= 0x80 and end - at != (2 if code < 0x800 else 3):
            break
        end = at
    return end
