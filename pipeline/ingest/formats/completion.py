"""`{"input": "…", "output": "…"}`: a user message and the assistant's answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pipeline.config import Source
from pipeline.ingest.exact_json import Record
from pipeline.ingest.formats.conversation import Conversation, Message
from pipeline.ingest.formats.values import text_at
from pipeline.ingest.plain import Strings

__all__ = ["Completion"]


class Completion:
    """Reads pairs of a prompt and its completion."""

    kinds: ClassVar[tuple[str, ...]] = ("pair",)
    keys: ClassVar[tuple[str, ...]] = ("input", "output")
    optional: ClassVar[tuple[str, ...]] = ()

    def __init__(self, source: Source, columns: Mapping[str, str]) -> None:
        self._input, self._output = columns["input"], columns["output"]
        self._used = frozenset((self._input, self._output))
        self.needed: tuple[str, ...] = (self._input, self._output)
        self.strings: Strings = (("user", self._input), ("assistant", self._output))

    def read(self, record: Record) -> Conversation:
        """A message of role `user` and one of role `assistant`."""
        user = Message("user", text_at(record.values, self._input))
        assistant = Message("assistant", text_at(record.values, self._output))
        return Conversation((user, assistant), None, record.rest(self._used))
