"""The test rows that answers are generated for, and what a correct answer would be."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from pipeline import fingerprint
from pipeline.evaluate.metrics.tools import calls_of, written

__all__ = ["Prompt", "choose_prompts"]

_COLUMNS = ["id", "source", "kind", "messages", "tools", "metadata"]


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """A row of kind pair or chat, cut before its last answer.

    Args:
        id: of the row.
        source: its source.
        kind: its kind.
        messages: `{role, content, extra}` of every message before the last answer of the assistant.
        tools: the row's tools as exact JSON, or None.
        metadata: the row's other keys as exact JSON, or None; a prompt template may name them.
        reference: that last answer; where it calls tools, the calls as `metrics.tools.written` writes them.
        calls: whether it calls tools.
    """

    id: str
    source: str
    kind: str
    messages: list[dict[str, Any]]
    tools: str | None
    metadata: str | None = None
    reference: str
    calls: bool = False

    def row(self) -> dict[str, Any]:
        """What a measure of the recipe's own is given of the row."""
        return {
            name: getattr(self, name) for name in ("id", "source", "kind", "messages", "tools", "metadata", "reference")
        }


def choose_prompts(folder: Path, count: int, *, seed: int) -> list[Prompt]:
    """Choose `count` rows of a curated split by a seeded hash of their ids, and return them by id.

    The choice depends on the ids and the seed only: not on the parts, the order of rows or the machine. Rows
    without a user's message, or whose answer is blank and calls no tool, have nothing to generate and are passed over.

    Args:
        folder: of a curated split.
        count: rows to choose; fewer are returned where the split has fewer.
        seed: of the recipe.
    """
    chosen = heapq.nsmallest(count, _rows(folder), key=lambda row: fingerprint.of_bytes(f"{seed}:{row.id}".encode()))
    return sorted(chosen, key=lambda row: row.id)


def _rows(folder: Path) -> Iterator[Prompt]:
    for path in sorted(folder.glob("part-*.parquet")):
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=1024, columns=_COLUMNS):
                for row in batch.to_pylist():
                    if (prompt := _prompt(row)) is not None:
                        yield prompt


def _prompt(row: dict[str, Any]) -> Prompt | None:
    if row["kind"] not in ("pair", "chat"):
        return None
    messages = row["messages"]
    answers = [at for at, message in enumerate(messages) if message["role"] == "assistant"]
    if not answers:
        return None
    before, answer = messages[: answers[-1]], messages[answers[-1]]
    calls = calls_of(answer["extra"])
    if not (answer["content"].strip() or calls) or not any(message["role"] == "user" for message in before):
        return None
    return Prompt(
        id=row["id"],
        source=row["source"],
        kind=row["kind"],
        messages=before,
        tools=row["tools"],
        metadata=row["metadata"],
        reference=written(calls) if calls else answer["content"],
        calls=bool(calls),
    )
