"""`{"messages": [{"role": "user", "content": "…"}, …], "tools": […]}`: OpenAI's conversations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pipeline.config import Source
from pipeline.config.roles import ROLES
from pipeline.ingest.exact_json import Record, elements, join_members, json_type, members
from pipeline.ingest.formats.conversation import Conversation, Message
from pipeline.ingest.formats.parts import text_of_parts
from pipeline.ingest.formats.speakers import speakers_of
from pipeline.ingest.formats.tools import check_calls, tools_of
from pipeline.ingest.formats.values import list_at, object_of, optional_text, text_at
from pipeline.ingest.plain import Strings
from pipeline.ingest.rejected import Rejected, missing_key

__all__ = ["Chat", "must_speak"]

_SPOKEN = ("user", "assistant")
"""Roles whose message must say something, unless the assistant calls a tool instead."""

_CALLS = ("tool_calls", "function_call")


class Chat:
    """Reads conversations.

    The null `content` of a message that calls tools becomes empty text, and `"content":null` stays in `extra`: role
    and content, overwritten by `extra`, are the message as it came. Where `content` is a list of parts, it becomes
    their texts, one behind the other. Messages may stand in lists of lists (turns of several messages). `columns:
    {system: …}` names a key of the row that holds the system message, `roles` of a source other names of roles.
    """

    kinds: ClassVar[tuple[str, ...]] = ("chat",)
    keys: ClassVar[tuple[str, ...]] = ("messages", "role", "content", "tools")
    optional: ClassVar[tuple[str, ...]] = ("system",)

    def __init__(self, source: Source, columns: Mapping[str, str]) -> None:
        self._messages, self._tools = columns["messages"], columns["tools"]
        self._role, self._content = columns["role"], columns["content"]
        self._system = columns.get("system")
        self._roles = speakers_of(source, ROLES)
        self.needed: tuple[str, ...] = (self._messages, *([self._system] if self._system else []))
        self.strings: Strings = ()
        self._used = frozenset((self._messages, self._tools, *([self._system] if self._system else [])))
        self._said = frozenset((self._role, self._content))

    def read(self, record: Record) -> Conversation:
        """The messages in their order."""
        texts: list[str] | None = None
        messages = []
        given = list_at(record.values, self._messages)
        nested = all(isinstance(turn, list) for turn in given)
        if nested:  # turns of several messages each
            given = [message for turn in given for message in turn]
            if not given:
                raise Rejected("empty_text", f"{self._messages!r} is empty")
        for number, value in enumerate(given):
            where = f"message {number + 1}: "
            value = object_of(value, where)
            role = self._role_of(value, where)
            content = self._content_of(value, role, where)
            extra = None
            if content is None or len(value) > 1 + (self._content in value):
                if texts is None:
                    texts = elements(record.exact(self._messages))
                    texts = [text for turn in texts for text in elements(turn)] if nested else texts
                extra = join_members(
                    members(texts[number]), without=self._said if content is not None else {self._role}
                )
                extra = None if extra == "{}" else extra
            messages.append(Message(role, content or "", extra))
        system = optional_text(record.values, self._system)
        if system is not None:
            if messages[0].role == "system":
                raise Rejected("wrong_role", f"a system message, and {self._system!r} holds another")
            messages.insert(0, Message("system", system))
        return Conversation(tuple(messages), tools_of(record, self._tools), record.rest(self._used))

    def _role_of(self, value: dict[str, Any], where: str) -> str:
        role = text_at(value, self._role, where, blank=True)
        if role not in self._roles:
            raise Rejected("wrong_role", f"{where}{self._role!r} is none of {', '.join(self._roles)}")
        role = self._roles[role]
        if role == "tool":
            text_at(value, "tool_call_id", where)
        if value.get("reasoning_content") is not None:
            text_at(value, "reasoning_content", where, blank=True)
        if value.get("tool_calls") is not None:
            check_calls(value["tool_calls"], where)
        return role

    def _content_of(self, value: dict[str, Any], role: str, where: str) -> str | None:
        """The text: of a message that calls tools it may be empty, null (None here) or absent (empty here)."""
        content = value.get(self._content)
        if isinstance(content, list):
            content = text_of_parts(content, where)
        calls = _calls(role, value)
        if isinstance(content, str):
            if (not content or content.isspace()) and must_speak(role, value):
                raise Rejected("empty_text", f"{where}{self._content!r} is empty")
            return content
        if content is not None:
            raise Rejected("wrong_type", f"{where}{self._content!r} is {json_type(content)}, not a string")
        if self._content not in value:
            if calls:
                return ""
            raise missing_key(self._content, value, where=where)
        if calls:
            return None
        raise Rejected("null_value", f"{where}{self._content!r} is null")


def must_speak(role: str, others: Mapping[str, Any]) -> bool:
    """Whether a message may not be blank.

    Args:
        role: Of the message.
        others: Its other keys.
    """
    return role in _SPOKEN and not _calls(role, others)


def _calls(role: str, others: Mapping[str, Any]) -> bool:
    return role == "assistant" and any(others.get(key) for key in _CALLS)
