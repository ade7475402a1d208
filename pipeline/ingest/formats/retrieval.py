"""`{"query": "…", "pos_doc": "…" or […], "neg_doc": […]}`: a question, documents that answer it and others."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from pipeline.config import Source
from pipeline.ingest.exact_json import Record, elements, join_members, json_type, members
from pipeline.ingest.formats.conversation import Conversation, Message
from pipeline.ingest.formats.corpus import corpora_of
from pipeline.ingest.formats.values import text_at
from pipeline.ingest.plain import Strings
from pipeline.ingest.rejected import Rejected, missing_key

__all__ = ["Retrieval"]


class Retrieval:
    """Reads triples with their texts in the row: messages of role query, positive and negative.

    A document is a string, or an object with `text`, whose other keys go into `extra`. The question may stand under
    `question` too; there need be no negatives, since a batch's other documents can serve.

    Where the source names a `corpus`, a document is an id or an object with `id`, and its text is looked up in the
    corpus that the row's `corpus_id` names; the id stays in `extra`.
    """

    kinds: ClassVar[tuple[str, ...]] = ("retrieval",)
    keys: ClassVar[tuple[str, ...]] = ("query", "pos_doc", "neg_doc")
    optional: ClassVar[tuple[str, ...]] = ()

    def __init__(self, source: Source, columns: Mapping[str, str]) -> None:
        self._query, self._positive, self._negative = columns["query"], columns["pos_doc"], columns["neg_doc"]
        self.needed: tuple[str, ...] = (self._positive,)
        self.strings: Strings = ()
        self._corpora = corpora_of(tuple(source.corpus)) if source.corpus else None

    def read(self, record: Record) -> Conversation:
        """The question, then the positives, then the negatives."""
        values = record.values
        query = "question" if self._query == "query" and "query" not in values and "question" in values else self._query
        asked = Message("query", text_at(values, query))
        if self._positive not in values:
            raise missing_key(self._positive, values)
        positives = self._documents(record, self._positive, "positive")
        if not positives:
            raise Rejected("empty_text", f"{self._positive!r} is empty")
        negatives = self._documents(record, self._negative, "negative")
        used = frozenset((query, self._positive, self._negative))
        return Conversation((asked, *positives, *negatives), None, record.rest(used))

    def _documents(self, record: Record, key: str, role: str) -> list[Message]:
        listed = record.values.get(key)
        if listed is None:
            return []
        documents = listed if isinstance(listed, list) else [listed]
        if self._corpora is not None:
            name = text_at(record.values, "corpus_id")
            return [self._found(name, document, role, number) for number, document in enumerate(documents, 1)]
        exact = [""] * len(documents)
        if any(isinstance(document, dict) for document in documents):
            text = record.exact(key)
            exact = elements(text) if isinstance(listed, list) else [text]
        messages = []
        for number, document in enumerate(documents):
            where = f"{role} {number + 1}: "
            if isinstance(document, dict):
                others = join_members(members(exact[number]), without={"text"})
                messages.append(Message(role, text_at(document, "text", where), None if others == "{}" else others))
            elif isinstance(document, str):
                messages.append(Message(role, text_at({key: document}, key, where)))
            else:
                raise Rejected("wrong_type", f"{where}{json_type(document)}, neither a string nor an object")
        return messages

    def _found(self, corpus: str, document: Any, role: str, number: int) -> Message:
        assert self._corpora is not None
        identity = document.get("id") if isinstance(document, dict) else document
        if isinstance(identity, int) and not isinstance(identity, bool):
            identity = str(identity)
        if not isinstance(identity, str):
            raise Rejected("wrong_type", f"{role} {number}: no id of a document")
        text = self._corpora.text(corpus, identity)
        if text is None:
            raise Rejected("missing_document", f"{role} {number}: its corpus holds no such id")
        return Message(role, text_at({"text": text}, "text", f"{role} {number}: "), json.dumps({"id": identity}))
