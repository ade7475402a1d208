"""The texts that hide something behind disguised characters, and where its bytes come from."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pipeline.engines.columns import TextColumn
from pipeline.engines.write import NOTHING, NOWHERE
from pipeline.text.disguises import is_disguised
from pipeline.text.disguises import undisguise as undisguise_row
from pipeline.text.kernel import compiled

__all__ = ["Plain", "undisguise"]


class Plain(NamedTuple):
    """The disguised ones of n texts without their disguises.

    Attributes:
        rows: int64 (m), which texts these are.
        texts: Of m rows, b bytes in all.
        begins: int64 (b), where in the buffer of the n texts the character begins that a byte is of.
        stops: int64 (b), where it ends.
    """

    rows: np.ndarray
    texts: TextColumn
    begins: np.ndarray
    stops: np.ndarray


def undisguise(column: TextColumn) -> Plain:
    """Take the disguises off the texts that have some."""
    flags = np.zeros(column.rows, np.bool_)
    flag_disguised(column.buffer, column.bounds, flags)
    rows = np.flatnonzero(flags)
    bounds = np.zeros(len(rows) + 1, np.int64)
    undisguise_rows(column.buffer, column.bounds, rows, NOWHERE, bounds[1:], NOTHING, NOWHERE, NOWHERE)
    np.cumsum(bounds, out=bounds)
    output = np.empty(bounds[-1], np.uint8)
    begins, stops = np.empty((2, bounds[-1]), np.int64)
    undisguise_rows(column.buffer, column.bounds, rows, bounds, NOWHERE, output, begins, stops)
    for array in (output, bounds):
        array.flags.writeable = False  # as of any column: for Numba that is a type of its own
    return Plain(rows, TextColumn(output, bounds), begins, stops)


@compiled
def flag_disguised(buffer: np.ndarray, bounds: np.ndarray, flags: np.ndarray) -> None:
    """Flag the rows with disguised characters."""
    for row in range(len(bounds) - 1):
        flags[row] = is_disguised(buffer, bounds[row], bounds[row + 1]) != 0


@compiled
def undisguise_rows(
    buffer: np.ndarray,
    bounds: np.ndarray,
    rows: np.ndarray,
    places: np.ndarray,
    lengths: np.ndarray,
    output: np.ndarray,
    begins: np.ndarray,
    stops: np.ndarray,
) -> None:
    """Undisguise some rows: with empty `places` measure the `lengths`, else write."""
    for k in range(len(rows)):
        row = rows[k]
        at = places[k] if len(places) else -1
        length = undisguise_row(buffer, bounds[row], bounds[row + 1], output, begins, stops, at)
        if len(places) == 0:
            lengths[k] = length
