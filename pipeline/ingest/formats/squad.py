"""`{"context": "…", "question": "…", "answers": {"text": ["…"], …}}`: SQuAD's rows, or its articles as published."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from pipeline.config import Source
from pipeline.ingest.exact_json import Record, elements, join_members, members
from pipeline.ingest.formats.conversation import Conversation, Message
from pipeline.ingest.formats.question import asked
from pipeline.ingest.formats.values import list_at, object_of, text_at
from pipeline.ingest.plain import Strings
from pipeline.ingest.rejected import Rejected, missing_key

__all__ = ["Squad"]


class Squad:
    """Reads questions about a text; the first answer is learnt, all of them stay in the metadata.

    An article (`{"title", "paragraphs": [{"context", "qas": [{"question", "answers": [{"text"}]}]}]}`) is as many rows
    as it has questions.
    """

    kinds: ClassVar[tuple[str, ...]] = ("pair", "chat")
    keys: ClassVar[tuple[str, ...]] = ("context", "question", "answers")
    optional: ClassVar[tuple[str, ...]] = ()

    def __init__(self, source: Source, columns: Mapping[str, str]) -> None:
        self._kind = source.kind
        self._context, self._question, self._answers = columns["context"], columns["question"], columns["answers"]
        self._used = frozenset((self._context, self._question))
        self.needed: tuple[str, ...] = (self._context, self._question, self._answers)
        self.strings: Strings = ()

    def read(self, record: Record) -> Conversation | list[Conversation | Rejected]:
        """One question, or all of an article."""
        if "paragraphs" in record.values:
            return list(self._article(record))
        context = text_at(record.values, self._context)
        return Conversation(self._messages(context, record.values, ""), None, record.rest(self._used))

    def _article(self, record: Record) -> Iterator[Conversation | Rejected]:
        paragraphs = list_at(record.values, "paragraphs")
        title = members(record.rest(frozenset(("paragraphs",))) or "{}")
        texts = elements(record.exact("paragraphs")) if all(isinstance(one, dict) for one in paragraphs) else []
        for number, paragraph in enumerate(paragraphs):
            where = f"paragraph {number + 1}: "
            try:
                context = text_at(object_of(paragraph, where), self._context, where)
                questions = list_at(paragraph, "qas", where)
                for index, question in enumerate(questions):
                    object_of(question, f"{where}question {index + 1}: ")
                exact = elements(members(texts[number])["qas"][1])
            except Rejected as why:
                yield why
                continue
            for index, question in enumerate(questions):
                try:
                    said = self._messages(context, question, f"{where}question {index + 1}: ")
                except Rejected as why:
                    yield why
                else:
                    yield Conversation(said, None, join_members(title | members(exact[index]), without=self._used))

    def _messages(self, context: str, values: Mapping[str, Any], where: str) -> tuple[Message, ...]:
        question = text_at(values, self._question, where)
        answer = self._answer(values, where).strip()
        return asked(self._kind, context, question, answer, f"Context: {context} Question: {question} Answer:")

    def _answer(self, values: Mapping[str, Any], where: str) -> str:
        """The first answer; `answers` is an object of lists on the hub, and a list of objects as published."""
        if self._answers not in values:
            raise missing_key(self._answers, values, where=where)
        answers = values[self._answers]
        if isinstance(answers, dict):
            return text_at({"text": list_at(answers, "text", where)[0]}, "text", where)
        return text_at(object_of(list_at(values, self._answers, where)[0], where), "text", where)
