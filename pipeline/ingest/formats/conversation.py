"""What every format is read into, and the checks that they share."""

from __future__ import annotations

from typing import Any, NamedTuple

from pipeline.ingest.exact_json import Record, json_type
from pipeline.ingest.rejected import Rejected, missing_key

__all__ = ["Conversation", "Message", "string_at"]


class Message(NamedTuple):
    """One turn."""

    role: str
    content: str
    extra: str | None = None
    """The exact JSON of the message's other keys."""


class Conversation(NamedTuple):
    """A row without its name."""

    messages: tuple[Message, ...]
    tools: str | None
    """The exact JSON of the tools that the assistant may call."""
    metadata: str | None
    """The exact JSON of the row's other keys."""


def string_at(record: Record, key: str) -> str:
    """The text under `key`.

    Raises:
        Rejected: no such key, null, no string, nothing but white space.
    """
    value: Any = record.values.get(key)
    if not isinstance(value, str):
        if key not in record.values:
            raise missing_key(key, record.values)
        if value is None:
            raise Rejected("null_value", f"{key!r} is null")
        raise Rejected("wrong_type", f"{key!r} is {json_type(value)}, not a string")
    if not value or value.isspace():
        raise Rejected("empty_text", f"{key!r} is empty")
    return value
