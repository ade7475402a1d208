"""OpenAssistant's trees: `{"prompt": {"text": "…", "role": "prompter", "replies": [{…}, …]}}`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from pipeline.config import Source
from pipeline.ingest.exact_json import Record, elements, join_members, members
from pipeline.ingest.formats.conversation import Conversation, Message
from pipeline.ingest.formats.values import object_of, text_at
from pipeline.ingest.plain import Strings
from pipeline.ingest.rejected import Rejected, missing_key

__all__ = ["OpenAssistant"]

_ROLES = {"prompter": "user", "assistant": "assistant"}
_Path = tuple[tuple[dict[str, Any], str], ...]
"""Messages from the root on: each decoded, and its exact JSON."""


class OpenAssistant:
    """Reads one tree a record.

    `tree: best` makes one row of it: from the root on the reply of the lowest rank, of equals the first. `tree: all`
    makes a row of every path. A path ends with its last answer of the assistant; what a prompter says after it goes,
    and of paths that are then the same one is kept. A deleted message goes with everything below it.
    """

    kinds: ClassVar[tuple[str, ...]] = ("chat",)
    keys: ClassVar[tuple[str, ...]] = ("prompt", "text", "role", "replies")
    optional: ClassVar[tuple[str, ...]] = ()

    def __init__(self, source: Source, columns: Mapping[str, str]) -> None:
        self._best = source.tree == "best"
        self._prompt, self._text = columns["prompt"], columns["text"]
        self._role, self._replies = columns["role"], columns["replies"]
        self._used = frozenset((self._prompt,))
        self._said = frozenset((self._text, self._role, self._replies))
        self.needed: tuple[str, ...] = (self._prompt,)
        self.strings: Strings = ()

    def read(self, record: Record) -> Conversation | list[Conversation | Rejected]:
        """The rows of a tree."""
        if self._prompt not in record.values:
            raise missing_key(self._prompt, record.values)
        root = object_of(record.values[self._prompt], f"{self._prompt!r} is ")
        if root.get("deleted"):
            raise Rejected("empty_text", f"{self._prompt!r} was deleted")
        metadata = record.rest(self._used)
        rows: dict[tuple[Message, ...], Conversation | Rejected] = {}
        for path in self._paths(((root, record.exact(self._prompt)),)):
            try:
                turns = self._turns(path)
            except Rejected as why:
                rows[(Message("", str(why)),)] = why
            else:
                rows.setdefault(turns, Conversation(turns, None, metadata))
        found = list(rows.values())
        if not self._best:
            return found
        if isinstance(found[0], Rejected):
            raise found[0]
        return found[0]

    def _paths(self, path: _Path) -> Iterator[_Path]:
        """Every path to a leaf, or that of the best replies; `path` leads to its last message."""
        message, exact = path[-1]
        replies = message.get(self._replies) or []
        if not isinstance(replies, list) or not all(isinstance(reply, dict) for reply in replies):
            yield path  # `_turns` says why
            return
        below = [
            reply
            for reply in (zip(replies, elements(members(exact)[self._replies][1]), strict=True) if replies else ())
            if not reply[0].get("deleted")
        ]
        if self._best:
            below = sorted(below, key=lambda reply: _rank(reply[0]))[:1]
        for reply in below:
            yield from self._paths((*path, reply))
        if not below:
            yield path

    def _turns(self, path: _Path) -> tuple[Message, ...]:
        turns = []
        for number, (message, exact) in enumerate(path):
            where = f"message {number + 1} of a path: "
            role = _ROLES.get(text_at(message, self._role, where))
            if role is None:
                raise Rejected("wrong_role", f"{where}{self._role!r} is none of {', '.join(_ROLES)}")
            if not isinstance(message.get(self._replies, []), list | None):
                raise Rejected("wrong_type", f"{where}{self._replies!r} is no list")
            extra = join_members(members(exact), without=self._said)
            turns.append(Message(role, text_at(message, self._text, where), None if extra == "{}" else extra))
        while turns and turns[-1].role != "assistant":
            turns.pop()
        if not turns:
            raise Rejected("empty_text", "a path without an answer of the assistant")
        return tuple(turns)


def _rank(message: dict[str, Any]) -> float:
    rank = message.get("rank")
    return rank if isinstance(rank, int | float) else float("inf")
