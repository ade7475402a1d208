"""Any schema: `columns: {context: …, question: …, answer: …}` say which keys hold what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pipeline.config import Source
from pipeline.errors import RecipeError
from pipeline.ingest.exact_json import Record
from pipeline.ingest.formats.conversation import Conversation
from pipeline.ingest.formats.question import asked
from pipeline.ingest.formats.values import written
from pipeline.ingest.plain import Strings
from pipeline.ingest.rejected import Rejected

__all__ = ["Columns"]


class Columns:
    """Reads questions and answers under any names.

    As a pair, context and question are one prompt with a space between; as a chat, the context is the system message.
    A number or a boolean is taken as it is written in JSON. A context or question that is null or blank is left out.
    """

    kinds: ClassVar[tuple[str, ...]] = ("pair", "chat")
    keys: ClassVar[tuple[str, ...]] = ()
    optional: ClassVar[tuple[str, ...]] = ("context", "question", "answer")

    def __init__(self, source: Source, columns: Mapping[str, str]) -> None:
        if "answer" not in columns or len(columns) < 2:
            raise RecipeError(
                "format columns needs to know which keys hold what",
                where=f"source {source.name}, columns",
                mend="give `answer`, and `question` or `context` or both, as in {question: prompt, answer: reply}",
            )
        self._kind = source.kind
        self._columns = dict(columns)
        self._used = frozenset(columns.values())
        self.needed: tuple[str, ...] = tuple(columns.values())
        self.strings: Strings = ()

    def read(self, record: Record) -> Conversation:
        """A prompt and an answer."""
        context, question = self._at(record, "context"), self._at(record, "question")
        answer = self._at(record, "answer")
        if answer is None or (context is None and question is None):
            blank = self._columns["answer"] if answer is None else self._columns.get("question", "context")
            raise Rejected("empty_text", f"{blank!r} is empty")
        prompt = " ".join(part for part in (context, question) if part is not None)
        return Conversation(asked(self._kind, context, question, answer, prompt), None, record.rest(self._used))

    def _at(self, record: Record, name: str) -> str | None:
        key = self._columns.get(name)
        if key is None:
            return None
        return written(record.values, key, record.exact(key) if key in record.values else "")
