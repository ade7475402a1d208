"""Conversations gathered into an Arrow table."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from pipeline.config import Source
from pipeline.ingest.formats.conversation import Conversation
from pipeline.schema import MESSAGE, MESSAGES, ROWS

__all__ = ["RowsBuilder"]


class RowsBuilder:
    """Holds columns as lists until the table is made; messages lie flat, with a count a row."""

    def __init__(self) -> None:
        self._ids: list[str] = []
        self._sources: list[str] = []
        self._kinds: list[str] = []
        self._tools: list[str | None] = []
        self._metadata: list[str | None] = []
        self._counts: list[int] = []
        self._roles: list[str] = []
        self._contents: list[str] = []
        self._extras: list[str | None] = []

    def add(self, id: str, source: Source, conversation: Conversation) -> None:
        """Add a row."""
        self._ids.append(id)
        self._sources.append(source.name)
        self._kinds.append(source.kind)
        self._tools.append(conversation.tools)
        self._metadata.append(conversation.metadata)
        self._counts.append(len(conversation.messages))
        for role, content, extra in conversation.messages:
            self._roles.append(role)
            self._contents.append(content)
            self._extras.append(extra)

    def table(self) -> pa.Table:
        """The rows so far, as `schema.ROWS`."""
        children = [
            pa.array(values, MESSAGE.field(number).type)
            for number, values in enumerate((self._roles, self._contents, self._extras))
        ]
        flat = pa.StructArray.from_arrays(children, fields=list(MESSAGE))
        offsets = np.concatenate([[0], np.cumsum(self._counts, dtype=np.int64)]).astype(np.int32)
        messages = pa.ListArray.from_arrays(pa.array(offsets), flat, type=MESSAGES)
        columns: list[object] = [self._ids, self._sources, self._kinds, messages, self._tools, self._metadata]
        return pa.Table.from_arrays(
            [pa.array(column, field.type) for column, field in zip(columns, ROWS, strict=True)], schema=ROWS
        )
