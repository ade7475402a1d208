"""`{"instruction": "…", "input": "…", "output": "…"}`: an instruction, what it is about, and the answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pipeline.config import Source
from pipeline.ingest.exact_json import Record
from pipeline.ingest.formats.conversation import Conversation, Message
from pipeline.ingest.formats.values import list_at, optional_text, text_at
from pipeline.ingest.plain import Strings
from pipeline.ingest.rejected import Rejected

__all__ = ["Alpaca"]


class Alpaca:
    """Reads instructions; an `input` that is not blank follows the instruction after a blank line.

    As a chat, `system` becomes the system message and `history`, a list of `[instruction, answer]`, earlier turns.
    """

    kinds: ClassVar[tuple[str, ...]] = ("pair", "chat")
    keys: ClassVar[tuple[str, ...]] = ("instruction", "input", "output", "system", "history")
    optional: ClassVar[tuple[str, ...]] = ()

    def __init__(self, source: Source, columns: Mapping[str, str]) -> None:
        self._chat = source.kind == "chat"
        self._columns = dict(columns)
        names = self.keys if self._chat else self.keys[:3]
        self._used = frozenset(columns[name] for name in names)
        self.needed: tuple[str, ...] = (columns["instruction"], columns["output"])
        self.strings: Strings = ()

    def read(self, record: Record) -> Conversation:
        """The instruction and the answer, and what a chat has before them."""
        values, names = record.values, self._columns
        asked = text_at(values, names["instruction"])
        given = optional_text(values, names["input"])
        turns: list[Message] = self._before(values) if self._chat else []
        turns.append(Message("user", asked if given is None else f"{asked}\n\n{given}"))
        turns.append(Message("assistant", text_at(values, names["output"])))
        return Conversation(tuple(turns), None, record.rest(self._used))

    def _before(self, values: Mapping[str, Any]) -> list[Message]:
        system = optional_text(values, self._columns["system"])
        turns = [] if system is None else [Message("system", system)]
        key = self._columns["history"]
        if not values.get(key):
            return turns
        for number, turn in enumerate(list_at(values, key)):
            where = f"turn {number + 1} of "
            if not isinstance(turn, list) or len(turn) != 2:
                raise Rejected("wrong_type", f"{where}{key!r} is no list of two strings")
            turns += [
                Message(role, text_at({key: said}, key, where))
                for role, said in zip(("user", "assistant"), turn, strict=True)
            ]
        return turns
