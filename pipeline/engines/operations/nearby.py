"""Personal data near the places of a text where something was put: what was read before need not be read again.

Nothing that the kernels find reaches over a line feed, nor does it depend on another line (`find_candidates`), and of
spans that overlap, which do so within a line, the same one is taken each time. Everything that was found in a text has
been replaced, or stays, and would be found and left again. So a line as it was brings nothing new, and only those are
read that have changed. Two things may reach over lines, an armoured private key and what a disguise hides (a text with
one disguise is read without all of them, and what is found so may be taken in the place of what is found in the text as
it is): a text that holds one of these, or held one when it was read before, is read whole from then on.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pipeline.engines.columns import TextColumn
from pipeline.text.disguises import is_disguised
from pipeline.text.kernel import compiled
from pipeline.text.private_key import names_armour

__all__ = ["Lines", "Put", "flag_whole", "lines_around"]

BESIDE = 64
"""Bytes on either side of a line that are read with it: the kernels look no further than a line, but they ask whether
so many bytes are there (40 of them before a number)."""

SHARE = 8
"""A text of which more than one byte in so many would be read is read whole: what is read is copied."""


class Put(NamedTuple):
    """Where something was put in n texts, in the order of texts and places.

    Attributes:
        rows: int64 (m), the text of each place.
        starts: int64 (m), its first byte, counted from the text's.
        ends: int64 (m), the place after its last byte, likewise.
        whole: bool (n), the texts of which lines did not stand alone when they were read before.
    """

    rows: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    whole: np.ndarray

    def among(self, chosen: np.ndarray) -> Put:
        """The same places where only the texts that are `chosen` (bool), all that have one, are left."""
        return Put((np.cumsum(chosen) - 1)[self.rows], self.starts, self.ends, self.whole[chosen])


class Lines(NamedTuple):
    """Lines of n texts, with what stands beside them, and the texts that are to be read whole.

    Attributes:
        whole: bool (n).
        rows: int64 (m), the text of each piece.
        lows: int64 (m), where in the column's buffer a line begins.
        highs: int64 (m), where it, or the last of several, ends.
        firsts: int64 (m), where in the column's buffer the piece begins.
        column: Of m pieces.
    """

    whole: np.ndarray
    rows: np.ndarray
    lows: np.ndarray
    highs: np.ndarray
    firsts: np.ndarray
    column: TextColumn


def lines_around(column: TextColumn, put: Put) -> Lines:
    """Take the lines out of texts in which something was put."""
    begins, stops = column.bounds[:-1], column.bounds[1:]
    rows, lows, highs = (np.empty(len(put.rows), np.int64) for _ in range(3))
    starts, ends = begins[put.rows] + put.starts, begins[put.rows] + put.ends
    count = find_lines(*column, put.rows, starts, ends, rows, lows, highs)
    rows, lows, highs = rows[:count], lows[:count], highs[:count]
    firsts, lasts = np.maximum(lows - BESIDE, begins[rows]), np.minimum(highs + BESIDE, stops[rows])
    whole = put.whole | (SHARE * np.bincount(rows, lasts - firsts, column.rows) > stops - begins)
    flag_whole(*column, whole)
    kept = ~whole[rows]
    rows, lows, highs, firsts, lasts = (array[kept] for array in (rows, lows, highs, firsts, lasts))
    pieces = [column.buffer[first:last] for first, last in zip(firsts.tolist(), lasts.tolist(), strict=True)]
    buffer = np.concatenate([np.empty(0, np.uint8), *pieces])
    bounds = np.zeros(len(rows) + 1, np.int64)
    np.cumsum(lasts - firsts, out=bounds[1:])
    for array in (buffer, bounds):
        array.flags.writeable = False  # as of any column: for Numba that is a type of its own
    return Lines(whole, rows, lows, highs, firsts, TextColumn(buffer, bounds))


@compiled
def find_lines(
    buffer: np.ndarray,
    bounds: np.ndarray,
    rows: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    line_rows: np.ndarray,
    lows: np.ndarray,
    highs: np.ndarray,
) -> int:
    """Write where the lines of places begin and end, each line once, and return how many there are."""
    count = 0
    for k in range(len(rows)):
        row = rows[k]
        floor = bounds[row]
        if count and line_rows[count - 1] == row:
            floor = highs[count - 1] + 1
        if starts[k] < floor:  # in the same line as the place before
            count -= 1
        else:
            low = starts[k]
            while low > floor and buffer[low - 1] != 10:
                low -= 1
            line_rows[count] = row
            lows[count] = low
        high = max(ends[k], floor - 1)
        while high < bounds[row + 1] and buffer[high] != 10:
            high += 1
        highs[count] = high
        count += 1
    return count


@compiled
def flag_whole(buffer: np.ndarray, bounds: np.ndarray, whole: np.ndarray) -> None:
    """Flag the texts in which lines do not stand alone, of those that are not flagged already."""
    for row in range(len(whole)):
        if not whole[row]:
            start = bounds[row]
            end = bounds[row + 1]
            whole[row] = is_disguised(buffer, start, end) != 0 or names_armour(buffer, start, end) != 0
