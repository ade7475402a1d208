"""The flat child array of contents under a column of messages: out, and back in."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.schema import MESSAGE, MESSAGES

__all__ = ["bordered_messages", "contents_of", "extras_of", "rows_of", "whole_messages", "with_contents"]


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


def whole_messages(messages: pa.ListArray) -> pa.ListArray:
    """The same messages with the exact JSON of their other keys (tool calls, …) behind their contents."""
    return _rewritten(messages, [contents_of(messages), _others(messages)], "")


def bordered_messages(messages: pa.ListArray) -> pa.ListArray:
    """The same messages with role, content and other keys in one text, so that two texts are equal only if all are."""
    roles = messages.flatten().field("role").cast(pa.large_string())
    lengths = pc.utf8_length(contents_of(messages)).cast(pa.large_string())
    return _rewritten(messages, [roles, lengths, contents_of(messages), _others(messages)], "\x1e")


def _others(messages: pa.ListArray) -> pa.LargeStringArray:
    return pc.fill_null(extras_of(messages), "").cast(pa.large_string())


def _rewritten(messages: pa.ListArray, pieces: list[pa.Array], between: str) -> pa.ListArray:
    return with_contents(messages, pc.binary_join_element_wise(*pieces, pa.scalar(between, pa.large_string())))
