"""Long rows cut into segments, which are worked on side by side as rows are."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pipeline.engines.write import NOWHERE

__all__ = ["WHOLE", "Segments", "cut_rows"]


class Segments(NamedTuple):
    """What loops over the rows of a column work on instead of them: m segments, in the order of the rows.

    Nothing but rows is meant where `firsts` is empty; a loop is then given empty arrays and works on whole rows.

    Attributes:
        rows: int64 (m), the row of each.
        lows: int64 (m), where it begins, in bytes from the row's first.
        highs: int64 (m), where it ends: 0 and the row's length where the row is not cut.
        firsts: int64 (n + 1): row k is the segments `firsts[k]…firsts[k + 1] - 1`, one at least.
    """

    rows: np.ndarray
    lows: np.ndarray
    highs: np.ndarray
    firsts: np.ndarray

    @property
    def places(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What a loop is given of them."""
        return self.rows, self.lows, self.highs

    @property
    def cut(self) -> np.ndarray:
        """The rows of several segments (int64)."""
        return np.flatnonzero(np.diff(self.firsts) > 1)

    def work(self, work: np.ndarray) -> np.ndarray:
        """The bytes of each segment: of each row, as given, where none is cut."""
        return self.highs - self.lows if len(self.firsts) else work

    def rows_of(self, items: np.ndarray) -> np.ndarray:
        """The rows of some segments, or of these rows where none is cut, ascending, each once."""
        return np.unique(self.rows[items] if len(self.firsts) else items)

    def bounds(self, bounds: np.ndarray) -> np.ndarray:
        """The bounds of rows, given those of segments that lie one behind the other."""
        return bounds[self.firsts] if len(self.firsts) else bounds

    def either(self, flags: np.ndarray) -> np.ndarray:
        """The bits that any segment of a row has, of each row: flags (m) of bool or integers to flags (n)."""
        return np.bitwise_or.reduceat(flags, self.firsts[:-1]) if len(self.firsts) else flags


WHOLE = Segments(NOWHERE, NOWHERE, NOWHERE, NOWHERE)
"""No row is cut."""


def cut_rows(work: np.ndarray, size: int) -> Segments:
    """Cut every row of at least two segments.

    Args:
        work: int64 (n), the bytes of each row.
        size: Bytes of a segment; the last of a row has up to twice as many, less one.
    """
    counts = np.maximum(work // size, 1)
    if not (counts > 1).any():
        return WHOLE
    firsts = np.zeros(len(work) + 1, np.int64)
    np.cumsum(counts, out=firsts[1:])
    rows = np.repeat(np.arange(len(work)), counts)
    lows = size * (np.arange(len(rows)) - firsts[rows])
    highs = lows + size
    highs[firsts[1:] - 1] = work
    return Segments(rows, lows, highs, firsts)
