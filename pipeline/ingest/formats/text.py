"""`{"text": "…"}`: a document or a code file, one message of role `text`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pipeline.config import Source
from pipeline.ingest.exact_json import Record
from pipeline.ingest.formats.conversation import Conversation, Message
from pipeline.ingest.formats.values import text_at
from pipeline.ingest.plain import Strings

__all__ = ["Text"]


class Text:
    """Reads plain documents; `code` is the same, of files and archives."""

    kinds: ClassVar[tuple[str, ...]] = ("text", "code")
    keys: ClassVar[tuple[str, ...]] = ("text",)
    optional: ClassVar[tuple[str, ...]] = ()

    def __init__(self, source: Source, columns: Mapping[str, str]) -> None:
        self._text = columns["text"]
        self._used = frozenset((self._text,))
        self.needed: tuple[str, ...] = (self._text,)
        self.strings: Strings = (("text", self._text),)

    def read(self, record: Record) -> Conversation:
        """One message of role `text`."""
        return Conversation((Message("text", text_at(record.values, self._text)),), None, record.rest(self._used))
