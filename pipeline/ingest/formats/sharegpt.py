"""`{"conversations": [{"from": "human", "value": "…"}, {"from": "gpt", "value": "…"}]}`: ShareGPT's conversations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pipeline.config import Source
from pipeline.ingest.exact_json import Members, Record, elements, join_members, members
from pipeline.ingest.formats.conversation import Conversation, Message
from pipeline.ingest.formats.speakers import speakers_of
from pipeline.ingest.formats.tools import calls_from_text, tools_of
from pipeline.ingest.formats.values import list_at, object_of, optional_text, text_at
from pipeline.ingest.plain import Strings
from pipeline.ingest.rejected import Rejected

__all__ = ["SPEAKERS", "ShareGpt"]

SPEAKERS = {
    "system": "system",
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "assistant": "assistant",
    "chatgpt": "assistant",
    "bing": "assistant",
    "bard": "assistant",
    "model": "assistant",
    "function_call": "assistant",
    "observation": "tool",
    "tool": "tool",
    "function_response": "tool",
    "tool_response": "tool",
}
"""Who speaks in the file → the role."""


class ShareGpt:
    """Reads conversations in ShareGPT's form, with LLaMA-Factory's `function_call` and `observation`.

    `roles` of a source maps other names of speakers to these, `columns` other keys.

    A call becomes OpenAI's `tool_calls`, its arguments the exact bytes of the file in a string; the ids that OpenAI's
    form needs are made up in the order of the calls, and an observation answers the first call that none has answered.
    """

    kinds: ClassVar[tuple[str, ...]] = ("chat",)
    keys: ClassVar[tuple[str, ...]] = ("conversations", "from", "value", "tools", "system")
    optional: ClassVar[tuple[str, ...]] = ()

    def __init__(self, source: Source, columns: Mapping[str, str]) -> None:
        self._turns, self._from, self._value = columns["conversations"], columns["from"], columns["value"]
        self._speakers = speakers_of(source, SPEAKERS)
        self._tools, self._system = columns["tools"], columns["system"]
        self._used = frozenset((self._turns, self._tools, self._system))
        self._said = frozenset((self._from, self._value))
        self.needed: tuple[str, ...] = (self._turns,)
        self.strings: Strings = ()

    def read(self, record: Record) -> Conversation:
        """The turns in their order."""
        turns = list_at(record.values, self._turns)
        for number, turn in enumerate(turns):
            object_of(turn, f"turn {number + 1}: ")
        exact = elements(record.exact(self._turns)) if any(len(turn) > 2 for turn in turns) else [""] * len(turns)
        system = optional_text(record.values, self._system)
        messages = [] if system is None else [Message("system", system)]
        called, waiting = 0, list[str]()
        for number, (turn, written) in enumerate(zip(turns, exact, strict=True)):
            where = f"turn {number + 1}: "
            speaker, said = self._turn(turn, where)
            others = members(written) if written else {}
            role = SPEAKERS[speaker]
            if speaker == "function_call":
                functions = calls_from_text(said, where)
                waiting = [f"call_{called + index}" for index in range(len(functions))]
                called += len(functions)
                calls = ",".join(
                    f'{{"id":"{name}","type":"function","function":{function}}}'
                    for name, function in zip(waiting, functions, strict=True)
                )
                messages.append(Message(role, "", self._extra(others, "tool_calls", f"[{calls}]")))
            elif role == "tool":
                if not waiting:
                    raise Rejected("wrong_role", f"{where}an answer to no call")
                messages.append(Message(role, said, self._extra(others, "tool_call_id", f'"{waiting.pop(0)}"')))
            else:
                messages.append(Message(role, said, self._extra(others)))
        if [message.role for message in messages[1:]].count("system"):
            raise Rejected("wrong_role", "a system message that is not the first")
        return Conversation(tuple(messages), tools_of(record, self._tools, wrap=True), record.rest(self._used))

    def _turn(self, turn: dict[str, Any], where: str) -> tuple[str, str]:
        speaker = text_at(turn, self._from, where, blank=True)
        if speaker not in self._speakers:
            raise Rejected("wrong_role", f"{where}{self._from!r} is none of {', '.join(self._speakers)}")
        speaker = self._speakers[speaker]
        return speaker, text_at(turn, self._value, where, blank=SPEAKERS[speaker] in ("tool", "system"))

    def _extra(self, others: Members, key: str = "", value: str = "") -> str | None:
        added = {key: (f'"{key}"', value)} if key else {}
        extra = join_members(others | added, without=self._said)
        return None if extra == "{}" else extra
