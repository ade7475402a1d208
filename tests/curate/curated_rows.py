"""A target that yields what a run curated, in the form in which the rows once came."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from pipeline.schema import SPLITS
from tests.ingest.test_formats import back

FORMATS = {"text": "text", "code": "text", "pair": "completion", "chat": "chat", "retrieval": "retrieval"}


def stored(root: str, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Split and row, of every kept row of a kind, in the order of splits and parts."""
    for split in SPLITS:
        for part in sorted((Path(root) / "curated" / split).glob("*.parquet")):
            for row in pq.read_table(part, filters=[("kind", "=", kind)]).to_pylist():
                yield split, row


def rows(*, root: str, kind: str) -> Iterator[dict[str, Any]]:
    """The rows of a kind, as `format: rows` takes them."""
    for _, row in stored(root, kind):
        yield back(FORMATS[kind], row)
