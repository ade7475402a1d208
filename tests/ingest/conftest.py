"""Sources made from bytes, and everything that a source holds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.config import Source
from pipeline.ingest import Ingested, plan_parts, read_blocks, survey

MakeSource = Callable[..., Source]


def ingest(source: Source, *, part_bytes: int = 1 << 20, max_row_bytes: int = 1 << 16) -> list[Ingested]:
    """Survey, plan and read a source, a part at a time."""
    surveyed = survey(source, part_bytes=part_bytes)
    return [read_blocks(part, max_row_bytes=max_row_bytes) for part in plan_parts([surveyed], part_bytes)]


def rows_of(parts: list[Ingested]) -> list[dict[str, Any]]:
    """Every row, in the order of the parts."""
    return [row for part in parts for row in part.rows.to_pylist()]


def rejected_of(parts: list[Ingested]) -> list[dict[str, Any]]:
    """Every line of the ledger, in the order of the parts."""
    return [row for part in parts for row in part.rejected.to_pylist()]


@pytest.fixture
def make_source(tmp_path: Path) -> MakeSource:
    """Write a file and give the source that reads it (`make_source(data, name=…, kind=…, format=…, columns=…)`)."""

    def make(
        data: bytes,
        *,
        file: str = "rows.jsonl",
        kind: str = "text",
        format: str = "text",
        columns: Any = None,
        **keys: Any,
    ) -> Source:
        path = tmp_path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return Source.model_validate(
            {"name": "s", "kind": kind, "format": format, "path": str(path), "columns": columns or {}, **keys}
        )

    return make
