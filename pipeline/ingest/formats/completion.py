"""`{"input": "…", "output": "…"}`: a user message and the assistant's answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pipeline.ingest.exact_json import Record
from pipeline.ingest.formats.conversation import Conversation, Message, string_at
from pipeline.ingest.plain import Strings

__all__ = ["Completion"]


class Completion:
    """Reads pairs of a prompt and its completion."""

    kinds: ClassVar[tuple[str, ...]] = ("pair",)
    keys: ClassVar[tuple[str, ...]] = ("input", "output")

    def __init__(self, columns: Mapping[str, str]) -> None:
        self._input, self._output = columns["input"], columns["output"]
        self._used = frozenset((self._input, self._output))
        self.strings: Strings = (("user", self._input), ("assistant", self._output))

    def read(self, record: Record) -> Conversation:
        """A message of role `user` and one of role `assistant`."""
        user = Message("user", string_at(record, self._input))
        assistant = Message("assistant", string_at(record, self._output))
        return Conversation((user, assistant), None, record.rest(self._used))
