"""Text columns of Arrow as the arrays that kernels take, and back; nothing is copied."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa

__all__ = ["TextColumn", "from_arrow", "places_of_both", "to_arrow", "without_nulls"]


class TextColumn(NamedTuple):
    """A text column as kernels see it.

    Attributes:
        buffer: uint8, the bytes of all rows, read-only.
        bounds: int64 (n + 1); row i is `buffer[bounds[i]:bounds[i + 1]]`. The first need not be 0.
    """

    buffer: np.ndarray
    bounds: np.ndarray

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.bounds) - 1


def from_arrow(column: pa.Array) -> TextColumn:
    """Return the arrays of a text column, slices included.

    Args:
        column: `large_string`; `string` is widened.

    Raises:
        TypeError: It is no text column, or in chunks (combine them first).
        ValueError: It holds a null.
    """
    if not isinstance(column, pa.LargeStringArray):
        if not isinstance(column, pa.StringArray):
            raise TypeError(f"a text column is a large_string array, not {type(column).__name__}")
        column = column.cast(pa.large_string())
    if column.null_count:
        raise ValueError(f"{column.null_count} of {len(column)} texts are null")
    _, bounds, data = column.buffers()
    if len(column) == 0 or bounds is None:
        return TextColumn(_read_only(np.empty(0, np.uint8)), _read_only(np.zeros(1, np.int64)))
    first = column.offset
    view = np.frombuffer(bounds, np.int64, count=len(column) + 1, offset=8 * first)
    if data is None or data.size == 0:
        return TextColumn(_read_only(np.empty(0, np.uint8)), _read_only(view))
    return TextColumn(_read_only(np.frombuffer(data, np.uint8)), _read_only(view))


def to_arrow(buffer: np.ndarray, bounds: np.ndarray) -> pa.LargeStringArray:
    """Return a text column over `buffer` (uint8) and `bounds` (int64, n + 1)."""
    return pa.LargeStringArray.from_buffers(len(bounds) - 1, pa.py_buffer(bounds), pa.py_buffer(buffer))


def without_nulls(column: pa.LargeStringArray) -> pa.LargeStringArray:
    """Return the column with some text in the place of each null, over the same bytes."""
    if not column.null_count:
        return column
    _, bounds, data = column.buffers()
    return pa.LargeStringArray.from_buffers(len(column), bounds, data, None, 0, column.offset)


def places_of_both(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the places in `a` or `b` (int64), ascending, each once.

    `np.union1d` would hash them, which takes many times as long as sorting two lists that are in order.
    """
    both = np.sort(np.concatenate((a, b)), kind="stable")
    first = np.ones(len(both), np.bool_)
    np.not_equal(both[1:], both[:-1], out=first[1:])
    return both[first]


def _read_only(array: np.ndarray) -> np.ndarray:
    # Arrow's memory is, or may be; and for Numba it is a type of its own, which would be compiled twice.
    array = array.view()
    array.flags.writeable = False
    return array
