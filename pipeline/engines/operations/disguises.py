"""The texts that hide something behind disguised characters, and where its bytes come from."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pipeline.engines.columns import TextColumn
from pipeline.engines.launch import Out, launcher
from pipeline.engines.write import NOTHING, NOWHERE
from pipeline.text.disguises import is_disguised
from pipeline.text.disguises import undisguise as undisguise_row
from pipeline.text.kernel import compiled

__all__ = ["Plain", "undisguise"]


class Plain(NamedTuple):
    """The disguised ones of n texts without their disguises.

    Attributes:
        rows: int64 (m), which texts these are.
        texts: Of m rows.
        places: int64 (k), ascending, where in their buffer a row begins or a disguise has ended.
        sources: int64 (k), the same in the buffer of the n texts: from there on both say the same.
    """

    rows: np.ndarray
    texts: TextColumn
    places: np.ndarray
    sources: np.ndarray

    def begins(self, at: np.ndarray) -> np.ndarray:
        """Where in the buffer of the n texts the characters begin that stand at `at` in this one: int64."""
        k = np.searchsorted(self.places, at, "right") - 1
        begins: np.ndarray = self.sources[k] + at - self.places[k]
        return begins

    def stops(self, at: np.ndarray, buffer: np.ndarray) -> np.ndarray:
        """Where in the buffer of the n texts the characters end whose last byte stands at `at` in this one: int64."""
        begins = self.begins(at)
        widths = np.where(buffer[begins] == self.texts.buffer[at], 1, 3)
        widths[buffer[begins] == 0xC2] = 2  # a no-break space
        for k in np.flatnonzero((widths == 3) & (buffer[begins] == ord("&"))).tolist():
            widths[k] = buffer[begins[k] : begins[k] + 8].tobytes().index(b";") + 1
        stops: np.ndarray = begins + widths
        return stops


def undisguise(column: TextColumn) -> Plain:
    """Take the disguises off the texts that have some."""
    flags = np.zeros(column.rows, np.bool_)
    launcher().run(flag_disguised, np.diff(column.bounds), *column, Out(flags))
    rows = np.flatnonzero(flags)
    bounds = np.zeros(len(rows) + 1, np.int64)
    entries = np.zeros(len(rows) + 1, np.int64)
    work = np.diff(column.bounds)[rows]
    counted = Out(bounds[1:]), NOTHING, NOWHERE, Out(entries[1:]), NOWHERE
    launcher().run(undisguise_rows, work, *column, rows, NOWHERE, *counted)
    np.cumsum(entries, out=entries)
    np.cumsum(bounds, out=bounds)
    output = np.empty(bounds[-1], np.uint8)
    places, sources = np.empty((2, entries[-1]), np.int64)
    written = NOWHERE, Out(output, bounds), entries, Out(places), Out(sources)
    launcher().run(undisguise_rows, work, *column, rows, bounds, *written)
    for array in (output, bounds):
        array.flags.writeable = False  # as of any column: for Numba that is a type of its own
    return Plain(rows, TextColumn(output, bounds), places, sources)


@compiled
def flag_disguised(first: int, last: int, buffer: np.ndarray, bounds: np.ndarray, flags: np.ndarray) -> None:
    """Flag the rows with disguised characters."""
    for row in range(first, last):
        flags[row] = is_disguised(buffer, bounds[row], bounds[row + 1]) != 0


@compiled
def undisguise_rows(
    first: int,
    last: int,
    buffer: np.ndarray,
    bounds: np.ndarray,
    rows: np.ndarray,
    starts: np.ndarray,
    lengths: np.ndarray,
    output: np.ndarray,
    entries: np.ndarray,
    places: np.ndarray,
    sources: np.ndarray,
) -> None:
    """Undisguise some rows: with empty `starts` measure the `lengths` and count the `places`, else write."""
    for k in range(first, last):
        start = bounds[rows[k]]
        end = bounds[rows[k] + 1]
        if len(starts) == 0:
            lengths[k] = undisguise_row(buffer, start, end, output, -1, places, sources, k)
        else:
            undisguise_row(buffer, start, end, output, starts[k], places, sources, entries[k])
