"""Kernels that write a row anew, over a column; and host functions on the rows that need them."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.engines.columns import TextColumn, from_arrow
from pipeline.engines.write import write_texts
from pipeline.text.characters import needs_normalising
from pipeline.text.controls import remove_controls
from pipeline.text.kernel import compiled
from pipeline.text.newlines import unify_newlines
from pipeline.text.whitespace import trim_whitespace

__all__ = ["Rewrite", "rewrite", "where"]


class Rewrite(IntEnum):
    """Kernels that write a row anew and share their arguments."""

    CONTROLS = 0
    NEWLINES = 1
    WHITESPACE = 2


def rewrite(which: Rewrite, texts: pa.LargeStringArray) -> pa.LargeStringArray:
    """Write every row anew with one kernel."""
    column = from_arrow(texts)

    def loop(places: np.ndarray, lengths: np.ndarray, output: np.ndarray) -> None:
        rewrite_rows(int(which), column.buffer, column.bounds, places, lengths, output)

    return write_texts(column.rows, loop)


def where(
    texts: pa.LargeStringArray, lead: int, change: Callable[[pa.LargeStringArray], pa.LargeStringArray]
) -> pa.LargeStringArray:
    """Change the rows that hold a byte of at least `lead`."""
    column: TextColumn = from_arrow(texts)
    flags = np.empty(column.rows, np.bool_)
    flag_rows(column.buffer, column.bounds, lead, flags)
    if not flags.any():
        return texts
    mask = pa.array(flags)
    return pc.replace_with_mask(texts, mask, change(texts.filter(mask)))


@compiled
def rewrite_rows(
    which: int, buffer: np.ndarray, bounds: np.ndarray, places: np.ndarray, lengths: np.ndarray, output: np.ndarray
) -> None:
    """Run one of `Rewrite`: with empty `places` measure the new `lengths`, else write row i from `places[i]` on."""
    for row in range(len(bounds) - 1):
        start = bounds[row]
        end = bounds[row + 1]
        at = places[row] if len(places) else -1
        if which == 0:
            length = remove_controls(buffer, start, end, output, at)
        elif which == 1:
            length = unify_newlines(buffer, start, end, output, at)
        else:
            length = trim_whitespace(buffer, start, end, output, at)
        if len(places) == 0:
            lengths[row] = length


@compiled
def flag_rows(buffer: np.ndarray, bounds: np.ndarray, lead: int, flags: np.ndarray) -> None:
    """Flag rows that hold a byte of at least `lead`."""
    for row in range(len(bounds) - 1):
        flags[row] = needs_normalising(buffer, bounds[row], bounds[row + 1], lead) != 0
