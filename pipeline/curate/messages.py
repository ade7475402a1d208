"""The flat child array of contents under a column of messages: out, and back in."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.engines import Engine
from pipeline.schema import MESSAGE, MESSAGES

__all__ = ["contents_of", "extras_of", "one_array", "rows_of", "whole_texts", "with_contents"]


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


def one_array(column: pa.ChunkedArray) -> pa.Array:
    """The column in one piece; copied only where it is in several (`combine_chunks` copies a single one too)."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
