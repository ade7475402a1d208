"""Other bytes in the place of spans of a row."""

from __future__ import annotations

import numpy as np

from pipeline.text.kernel import declare
from pipeline.text.put import put_bytes

__all__ = ["copy_bytes", "replace_spans"]


@declare(
    "int64(uint8[::1], int64, int64, int64[::1], int64[::1], int64, int64, uint8[::1], int64[::1], uint8[::1], int64)"
)
def replace_spans(
    buffer: np.ndarray,
    start: int,
    end: int,
    starts: np.ndarray,
    ends: np.ndarray,
    first: int,
    last: int,
    values: np.ndarray,
    bounds: np.ndarray,
    output: np.ndarray,
    at: int,
) -> int:
    """Write the row with other bytes in the place of some spans, and return its new length in bytes.

    Several rows that lie one behind the other may be written as one.

    Args:
        buffer: Bytes of the column; the row is `[start, end)`.
        start: Its first byte.
        end: One past its last byte.
        starts: Where each span begins, in ascending order.
        ends: Where it ends; no two spans overlap.
        first: The row's first span.
        last: One past its last.
        values: Bytes of what is put in place.
        bounds: In place of span s stands `values[bounds[s]:bounds[s + 1]]`.
        output: Where to write.
        at: Where in `output`; below 0, nothing is written and only the length is measured.
    """
    length = 0
    kept = start  # what lies before has been written
    for span in range(first, last + 1):
        until = starts[span] if span < last else end
        length += copy_bytes(buffer, kept, until, output, at + length if at >= 0 else -1)
        if span < last:
            length += copy_bytes(values, bounds[span], bounds[span + 1], output, at + length if at >= 0 else -1)
            kept = ends[span]
    return length


@declare("int64(uint8[::1], int64, int64, uint8[::1], int64)")
def copy_bytes(buffer: np.ndarray, start: int, end: int, output: np.ndarray, at: int) -> int:
    """Write the row as it is, and return its length in bytes; `at` below 0 writes nothing."""
    if at >= 0:
        put_bytes(buffer, start, end, output, at, 0)
    return end - start
