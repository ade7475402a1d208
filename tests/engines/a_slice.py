"""A slice of rows of which cleaning and redaction change few, to be curated by any engine."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.config import Recipe, Source
from pipeline.engines import Engine
from pipeline.ingest import Ingested, read_slices, survey
from pipeline.schema import LEDGER, ROWS

__all__ = ["BACK", "OF_FILE", "READ", "THERE", "noted", "recipe", "slice_of_rows", "slices_of_file"]

PLAIN = "The turbines of plant %d were inspected in spring, and their bearings were found to be in order."
CLEANED = PLAIN % 99 + " And so they were, all.  \n\n\n"
REDACTED = PLAIN % 98 + " Ask jane@plant.example about it."
ROLES = {"text": ["text"], "chat": ["user", "assistant"]}


def contents() -> list[tuple[str, list[str]]]:
    """Kind and contents of every row."""
    texts = [("text", [" ".join([PLAIN % number] * 4)]) for number in range(12)]
    talks = [("chat", [PLAIN % number, "Yes, they were."]) for number in range(12, 17)]
    return [*texts, ("text", [CLEANED]), *talks, ("text", [REDACTED]), ("text", ["Too short."])]


def _bytes(kind: str) -> int:
    """Of the contents of all rows of a kind."""
    return sum(len("".join(texts)) for name, texts in contents() if name == kind)


_CHATS = sum(kind == "chat" for kind, _ in contents())

THERE = [
    *(_bytes(kind) for kind in ROLES),  # every kind's texts, once
    *(len("\n\n"), len("\n\n")),  # between the contents of a chat: when it is measured, and when keys are made
    len("<EMAIL>"),
    len("Too short."),  # the excerpt of the row that is dropped
    *(_CHATS * len("userassistant"), _CHATS * 7 * 16),  # for a chat's digest its roles, and the digests of its pieces
]
"""Bytes of every copy of text to the device, or of what is passed as bytes."""

OF_FILE = [len("<EMAIL>"), len("Too short.")]
"""As `THERE`, of the file, beside its own bytes."""

READ = _bytes("text")
"""Bytes of the file's texts, which the host gets when they are read."""

BACK = [len(CLEANED.rstrip()), len(REDACTED.replace("jane@plant.example", "<EMAIL>"))]
"""Bytes of every copy of text to the host: what was changed."""


def noted(function: Callable[..., Any], which: int, copies: list[int]) -> Callable[..., Any]:
    """The function, which notes how many bytes it copies if its argument of that number is text."""

    def copy(*arguments: Any, **named: Any) -> Any:
        if arguments[which].dtype == np.uint8 and arguments[which].size:
            copies.append(int(arguments[which].size))
        return function(*arguments, **named)

    return copy


def slice_of_rows() -> Ingested:
    """The rows, as if they had been read."""
    rows = [
        {
            "id": f"{kind}/f#{number}",
            "source": kind,
            "kind": kind,
            "messages": [{"role": role, "content": text} for role, text in zip(ROLES[kind], texts, strict=True)],
        }
        for number, (kind, texts) in enumerate(contents())
    ]
    return Ingested(
        rows=pa.Table.from_pylist(rows, schema=ROWS),
        rejected=LEDGER.empty_table(),
        places=np.arange(len(rows)),
        rejected_places=np.zeros(0, np.int64),
        rows_in=len(rows),
        bytes_in=0,
    )


def slices_of_file(path: Path, engine: Engine) -> list[Ingested]:
    """The rows of kind `text`, written to a file and read; as Parquet with a null, and in row groups."""
    rows = [{"text": texts[0]} for kind, texts in contents() if kind == "text"]
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist([*rows[:3], {"text": None}, *rows[3:]]), path, row_group_size=6)
    else:
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    source = Source(name="text", kind="text", format="text", path=str(path), skip_invalid=True)
    blocks = survey(source, part_bytes=1 << 20).blocks
    return list(read_slices(blocks, max_row_bytes=1 << 20, slice_bytes=1 << 20, engine=engine))


def recipe() -> Recipe:
    """What is cleaned and redacted by default; a rule that drops a row; digests and sketches."""
    sources = [{"name": kind, "kind": kind, "format": kind, "path": "f"} for kind in ROLES]
    rules = {"preset": "none", "word_count": {"min": 5}}
    return Recipe.model_validate({"run": "r", "sources": sources, "curate": {"rules": rules}})
