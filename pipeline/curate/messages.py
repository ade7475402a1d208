"""The flat child array of contents under a column of messages: out, and back in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.engines import Engine
from pipeline.schema import MESSAGE, MESSAGES

__all__ = [
    "contents_of",
    "extras_of",
    "follow",
    "one_array",
    "only",
    "rows_of",
    "taken",
    "whole_texts",
    "with_contents",
]


def contents_of(messages: pa.ListArray) -> pa.LargeStringArray:
    """The contents of all messages, in order: large_string [messages]."""
    return messages.flatten().field("content")


def extras_of(messages: pa.ListArray) -> pa.StringArray:
    """The exact JSON of the other keys of all messages, or null: string [messages]."""
    return messages.flatten().field("extra")


def rows_of(messages: pa.ListArray) -> np.ndarray:
    """The row of each message: int64 [messages]."""
    return np.repeat(np.arange(len(messages)), messages.value_lengths().to_numpy(zero_copy_only=False))


def with_contents(
    messages: pa.ListArray, contents: pa.LargeStringArray, extras: pa.StringArray | None = None
) -> pa.ListArray:
    """The same messages with other contents (and extras)."""
    flat = messages.flatten()
    child = pa.StructArray.from_arrays(
        [flat.field("role"), contents, flat.field("extra") if extras is None else extras], fields=list(MESSAGE)
    )
    lengths = messages.value_lengths().to_numpy(zero_copy_only=False)
    offsets = np.zeros(len(messages) + 1, dtype=np.int32)
    np.cumsum(lengths, out=offsets[1:])
    return pa.ListArray.from_arrays(pa.array(offsets), child, type=MESSAGES)


def whole_texts(messages: pa.ListArray, tools: pa.LargeStringArray, engine: Engine) -> pa.LargeStringArray:
    """All that a row says: its contents, each with the exact JSON of its message's other keys behind it, and its tools.

    Returns:
        large_string [messages' rows]; where a row is one message and nothing else, the contents themselves.
    """
    extras = extras_of(messages)
    if extras.null_count < len(extras):
        behind = pc.fill_null(extras, "").cast(pa.large_string())
        contents = pc.binary_join_element_wise(contents_of(messages), behind, pa.scalar("", pa.large_string()))
        messages = with_contents(messages, contents)
    texts = engine.join(messages)
    if tools.null_count < len(tools):
        texts = pc.binary_join_element_wise(texts, pc.fill_null(tools, ""), pa.scalar("", pa.large_string()))
    return texts


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

    engine.follow(contents_of(messages), [contents_of(one) for one in sources], places)


def taken(tables: Sequence[pa.Table], rows: NDArray[np.int64], engine: Engine) -> pa.Table:
    """Rows of some tables with the column `messages`, counted through all of them: int64."""
    together = pa.concat_tables(tables)
    in_order = np.array_equal(rows, np.arange(len(together)))
    table = (together if in_order else together.take(pa.array(rows))).combine_chunks()
    follow(one_array(table["messages"]), together["messages"].chunks, rows, engine)
    return table


def only(table: pa.Table, chosen: NDArray[np.bool_], engine: Engine) -> pa.Table:
    """The chosen rows of a table with the column `messages`; the table itself, not a copy, where they are all."""
    if chosen.all():
        return table
    kept = table.filter(pa.array(chosen)).combine_chunks()
    follow(one_array(kept["messages"]), table["messages"].chunks, np.flatnonzero(chosen), engine)
    return kept


def one_array(column: pa.ChunkedArray) -> pa.Array:
    """The column in one piece; copied only where it is in several (`combine_chunks` copies a single one too)."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
