"""What every format is read into."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Conversation", "Message"]


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
