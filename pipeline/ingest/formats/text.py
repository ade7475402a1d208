"""`{"text": "…"}`: a document or a code file, one message of role `text`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pipeline.ingest.exact_json import Record
from pipeline.ingest.formats.conversation import Conversation, Message, string_at
from pipeline.ingest.plain import Strings

__all__ = ["Text"]


class Text:
    """Reads plain documents."""

    kinds: ClassVar[tuple[str, ...]] = ("text", "code")
    keys: ClassVar[tuple[str, ...]] = ("text",)

    def __init__(self, columns: Mapping[str, str]) -> None:
        self._text = columns["text"]
        self._used = frozenset((self._text,))
        self.strings: Strings = (("text", self._text),)

    def read(self, record: Record) -> Conversation:
        """One message of role `text`."""
        return Conversation((Message("text", string_at(record, self._text)),), None, record.rest(self._used))
