"""Other texts in the place of spans."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from pipeline.engines.columns import from_arrow, to_arrow
from pipeline.engines.launch import Out, launcher
from pipeline.engines.spans import Spans
from pipeline.text.kernel import compiled
from pipeline.text.replace import replace_spans

__all__ = ["replace"]


def replace(texts: pa.LargeStringArray, spans: Spans, values: pa.LargeStringArray) -> pa.LargeStringArray:
    """Put other texts in the place of spans.

    Args:
        texts: n texts.
        spans: m places in them.
        values: m texts.

    Returns:
        n texts; the same column if m is 0.
    """
    if not len(spans.rows):
        return texts
    column, new = from_arrow(texts), from_arrow(values)
    # Where nothing runs side by side all rows are written as one: what lies between two spans is copied at once,
    # however many rows it is.
    growth = np.zeros(len(spans.rows) + 1, np.int64)
    np.cumsum(np.diff(new.bounds) - (spans.ends - spans.starts), out=growth[1:])
    bounds = column.bounds - column.bounds[0] + growth[np.searchsorted(spans.rows, np.arange(column.rows + 1))]
    output = np.empty(bounds[-1], np.uint8)
    places = np.ascontiguousarray(spans.starts), np.ascontiguousarray(spans.ends)
    pieces = np.arange(column.rows + 1) if launcher().parallel else np.array([0, column.rows])
    first_spans = np.searchsorted(spans.rows, pieces)
    launcher().run(
        write_replaced,
        np.diff(bounds[pieces]),
        column.buffer,
        column.bounds[pieces],
        *places,
        first_spans,
        *new,
        Out(output),
        bounds[pieces],
    )
    return to_arrow(output, bounds)


@compiled
def write_replaced(
    first: int,
    last: int,
    buffer: np.ndarray,
    bounds: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    spans: np.ndarray,
    values: np.ndarray,
    value_bounds: np.ndarray,
    output: np.ndarray,
    places: np.ndarray,
) -> None:
    """Write pieces of a column from `places[k]` on, with the values in the place of `spans[k]…spans[k + 1] - 1`."""
    for k in range(first, last):
        replace_spans(
            buffer,
            bounds[k],
            bounds[k + 1],
            starts,
            ends,
            spans[k],
            spans[k + 1],
            values,
            value_bounds,
            output,
            places[k],
        )
