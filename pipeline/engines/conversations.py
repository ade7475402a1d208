"""Rows of conversations taken from tables; the copies of their contents that an engine keeps elsewhere follow."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.engines import Engine

__all__ = ["follow", "only", "taken"]


def follow(messages: pa.ListArray, sources: Sequence[pa.ListArray], rows: NDArray[np.int64], engine: Engine) -> None:
    """Tell an engine that rows were taken, so that its copies of their contents follow.

    Args:
        messages: the rows as they are now.
        sources: what they were taken from.
        rows: which of all the sources' rows they are: int64 [messages' rows].
        engine: that works on them next.
    """

    def places() -> NDArray[np.int64]:
        lengths = np.concatenate([one.value_lengths().to_numpy(zero_copy_only=False) for one in sources])
        first, count = np.cumsum(lengths) - lengths, lengths[rows]
        found: NDArray[np.int64] = np.arange(count.sum()) + np.repeat(first[rows] - (np.cumsum(count) - count), count)
        return found

    engine.follow(_contents(messages), [_contents(one) for one in sources], places)


def taken(tables: Sequence[pa.Table], rows: NDArray[np.int64], engine: Engine) -> pa.Table:
    """Rows of some tables with the column `messages`, counted through all of them: int64."""
    together = pa.concat_tables(tables)
    in_order = np.array_equal(rows, np.arange(len(together)))
    table = (together if in_order else together.take(pa.array(rows))).combine_chunks()
    follow(_one(table["messages"]), together["messages"].chunks, rows, engine)
    return table


def only(table: pa.Table, chosen: NDArray[np.bool_], engine: Engine) -> pa.Table:
    """The chosen rows of a table with the column `messages`; the table itself, not a copy, where they are all."""
    if chosen.all():
        return table
    kept = table.filter(pa.array(chosen)).combine_chunks()
    follow(_one(kept["messages"]), table["messages"].chunks, np.flatnonzero(chosen), engine)
    return kept


def _contents(messages: pa.ListArray) -> pa.LargeStringArray:
    return messages.flatten().field("content")


def _one(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
