"""Other texts in the place of spans."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from pipeline.engines.columns import from_arrow, to_arrow
from pipeline.engines.spans import Spans
from pipeline.text.kernel import compiled, int64
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
    # All rows are written as one: what lies between two spans is copied at once, however many rows it is.
    growth = np.zeros(len(spans.rows) + 1, np.int64)
    np.cumsum(np.diff(new.bounds) - (spans.ends - spans.starts), out=growth[1:])
    bounds = column.bounds - column.bounds[0] + growth[np.searchsorted(spans.rows, np.arange(column.rows + 1))]
    output = np.empty(bounds[-1], np.uint8)
    places = np.ascontiguousarray(spans.starts), np.ascontiguousarray(spans.ends)
    write_replaced(column.buffer, column.bounds, *places, *new, output)
    return to_arrow(output, bounds)


@compiled
def write_replaced(
    buffer: np.ndarray,
    bounds: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    values: np.ndarray,
    value_bounds: np.ndarray,
    output: np.ndarray,
) -> None:
    """Write all rows, one behind the other, with the values in the place of the spans."""
    nowhere = int64(0)  # not a literal, for which the kernel would be compiled a second time
    replace_spans(
        buffer, bounds[0], bounds[-1], starts, ends, nowhere, len(starts), values, value_bounds, output, nowhere
    )
