"""Data as it is published, through every format; each row must be there again afterwards."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.config import Source
from tests.ingest.conftest import ingest, rejected_of, rows_of
from tests.ingest.test_formats import back

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"


def unpacked(file: Path) -> bytes:
    return gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()


@pytest.mark.parametrize(
    ("path", "kind", "format", "columns"),
    [
        ("chat-oasst/messages.jsonl.gz", "chat", "chat", {}),
        ("instruct-gsm8k/test.jsonl.gz", "pair", "completion", {"input": "question", "output": "answer"}),
        ("text-peps/peps.jsonl.gz", "text", "text", {}),
        ("pii-planted/corpus/corpus.jsonl*", "text", "text", {}),
    ],
)
def test_published_rows_can_be_made_again(path: str, kind: str, format: str, columns: dict[str, str]) -> None:
    files = sorted(DATA.glob(path))
    if not files:
        pytest.skip(f"shared/data/{path} is not here")
    raw = [json.loads(line) for file in files for line in unpacked(file).decode().split("\n") if line]
    names: dict[str, str] = {theirs: ours for ours, theirs in columns.items()}
    wanted: list[dict[str, Any]] = [{names.get(key, key): value for key, value in row.items()} for row in raw]
    source = Source.model_validate(
        {"name": "s", "kind": kind, "format": format, "path": str(DATA / path), "columns": columns}
    )
    parts = ingest(source, max_row_bytes=1 << 24)
    assert rejected_of(parts) == []
    assert [back(format, row) for row in rows_of(parts)] == wanted
    assert len({row["id"] for row in rows_of(parts)}) == len(wanted) > 100


@pytest.mark.parametrize(
    ("path", "keys", "rows", "first"),
    [
        ("eval-hellaswag-val/*.gz", {"kind": "pair", "format": "hellaswag"}, 10042, ["user", "assistant"]),
        ("chat-oasst/en_100_tree.jsonl.gz", {"kind": "chat", "format": "openassistant"}, 100, ["user", "assistant"]),
        ("chat-oasst/en_100_tree.jsonl.gz", {"kind": "chat", "format": "openassistant", "tree": "all"}, 564, ["user"]),
        (
            "retrieval-triples/xquad_en_triples.jsonl.gz",
            {"kind": "retrieval", "format": "retrieval", "columns": {"pos_doc": "pos", "neg_doc": "neg"}},
            1190,
            ["query", "positive", "negative"],
        ),
    ],
)
def test_published_rows_are_read_by_their_format(path: str, keys: dict[str, Any], rows: int, first: list[str]) -> None:
    if not list(DATA.glob(path)):
        pytest.skip(f"shared/data/{path} is not here")
    parts = ingest(Source.model_validate({"name": "s", "path": str(DATA / path), **keys}), max_row_bytes=1 << 24)
    assert rejected_of(parts) == []
    found = rows_of(parts)
    assert len(found) == rows
    assert [turn["role"] for turn in found[0]["messages"]][: len(first)] == first
    assert len({row["id"] for row in found}) == rows
