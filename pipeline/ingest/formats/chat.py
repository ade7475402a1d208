"""`{"messages": [{"role": "user", "content": "…"}, …], "tools": […]}`: OpenAI's conversations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pipeline.ingest.exact_json import Record, elements, join_members, json_type, members
from pipeline.ingest.formats.conversation import Conversation, Message
from pipeline.ingest.plain import Strings
from pipeline.ingest.rejected import Rejected, missing_key

__all__ = ["ROLES", "Chat"]

ROLES = ("system", "developer", "user", "assistant", "tool", "function")
"""Who may speak."""

_SPOKEN = ("user", "assistant")
"""Roles whose message must say something, unless the assistant calls a tool instead."""

_CALLS = ("tool_calls", "function_call")


class Chat:
    """Reads conversations.

    The null `content` of a message that calls tools becomes empty text, and `"content":null` stays in `extra`: role
    and content, overwritten by `extra`, are the message as it came.
    """

    kinds: ClassVar[tuple[str, ...]] = ("chat",)
    keys: ClassVar[tuple[str, ...]] = ("messages", "role", "content", "tools")

    def __init__(self, columns: Mapping[str, str]) -> None:
        self._messages, self._tools = columns["messages"], columns["tools"]
        self._role, self._content = columns["role"], columns["content"]
        self.strings: Strings = ()
        self._used = frozenset((self._messages, self._tools))
        self._said = frozenset((self._role, self._content))

    def read(self, record: Record) -> Conversation:
        """The messages in their order."""
        listed = record.values.get(self._messages)
        if not isinstance(listed, list):
            if self._messages not in record.values:
                raise missing_key(self._messages, record.values)
            if listed is None:
                raise Rejected("null_value", f"{self._messages!r} is null")
            raise Rejected("wrong_type", f"{self._messages!r} is {json_type(listed)}, not a list")
        if not listed:
            raise Rejected("empty_text", f"{self._messages!r} is empty")
        texts: list[str] | None = None
        messages = []
        for number, value in enumerate(listed):
            where = f"message {number + 1}: "
            if not isinstance(value, dict):
                raise Rejected("wrong_type", f"{where}{json_type(value)}, not an object")
            role = self._role_of(value, where)
            content = self._content_of(value, role, where)
            extra = None
            if content is None or len(value) > 1 + (self._content in value):
                if texts is None:
                    texts = elements(record.exact(self._messages))
                extra = self._extra_of(texts[number], content)
            messages.append(Message(role, content or "", extra))
        return Conversation(tuple(messages), self._tools_of(record), record.rest(self._used))

    def _role_of(self, value: dict[str, Any], where: str) -> str:
        role = value.get(self._role)
        if self._role not in value:
            raise missing_key(self._role, value, where=where)
        if role is None:
            raise Rejected("null_value", f"{where}{self._role!r} is null")
        if not isinstance(role, str):
            raise Rejected("wrong_type", f"{where}{self._role!r} is {json_type(role)}, not a string")
        if role not in ROLES:
            raise Rejected("wrong_role", f"{where}{self._role!r} is none of {', '.join(ROLES)}")
        return role

    def _content_of(self, value: dict[str, Any], role: str, where: str) -> str | None:
        """The text: of a message that calls tools it may be empty, null (None here) or absent (empty here)."""
        content = value.get(self._content)
        calls = role == "assistant" and any(value.get(key) for key in _CALLS)
        if isinstance(content, str):
            if (not content or content.isspace()) and role in _SPOKEN and not calls:
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

    def _extra_of(self, text: str, content: str | None) -> str:
        return join_members(members(text), without=self._said if content is not None else {self._role})

    def _tools_of(self, record: Record) -> str | None:
        tools = record.values.get(self._tools)
        if tools is None:
            return None
        if not isinstance(tools, list):
            raise Rejected("wrong_type", f"{self._tools!r} is {json_type(tools)}, not a list")
        return record.exact(self._tools)
