"""Other texts in the place of spans."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from pipeline.engines.columns import from_arrow, to_arrow
from pipeline.engines.launch import Out, bounds_of, launcher
from pipeline.engines.operations.rows import put_rows
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
    growth = bounds_of(np.diff(new.bounds) - (spans.ends - spans.starts))
    if launcher().parallel:  # only the rows with spans are written, and put among the others
        chosen = np.zeros(column.rows, np.bool_)
        chosen[spans.rows] = True
        rows = np.flatnonzero(chosen)
        begins, stops = column.bounds[rows], column.bounds[rows + 1]
        first_spans = np.append(np.searchsorted(spans.rows, rows), len(spans.rows))
        bounds = places = bounds_of(stops - begins + np.diff(growth[first_spans]))
    else:  # all rows are written as one: what lies between two spans is copied at once, however many rows it is
        begins, stops = column.bounds[:1], column.bounds[-1:]
        first_spans = np.array([0, len(spans.rows)])
        bounds = column.bounds - column.bounds[0] + growth[np.searchsorted(spans.rows, np.arange(column.rows + 1))]
        places = bounds[[0, -1]]
    output = np.empty(bounds[-1], np.uint8)
    launcher().run(
        write_replaced,
        np.diff(places),
        column.buffer,
        begins,
        stops,
        np.ascontiguousarray(spans.starts),
        np.ascontiguousarray(spans.ends),
        first_spans,
        *new,
        Out(output, bounds),
        places,
    )
    replaced = to_arrow(output, bounds)
    return put_rows(texts, chosen, replaced, certain=True)[0] if launcher().parallel else replaced


@compiled
def write_replaced(
    first: int,
    last: int,
    buffer: np.ndarray,
    begins: np.ndarray,
    stops: np.ndarray,
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
            begins[k],
            stops[k],
            starts,
            ends,
            spans[k],
            spans[k + 1],
            values,
            value_bounds,
            output,
            places[k],
        )
