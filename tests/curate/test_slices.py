"""A part is worked on in slices; where they are cut changes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.config import Recipe
from pipeline.curate import documents, part
from pipeline.engines import cpu
from pipeline.ingest import streams
from pipeline.run import RunDirectory
from tests.curate.conftest import MODEL

KINDS = ("text", "code", "chat")


def shards(folder: Path) -> list[dict[str, Any]]:
    """Three sources of small rows in one part: kept ones, some that fail several rules, some that are no rows."""
    sources = []
    for kind in KINDS:
        rows = []
        for number in range(30):
            text = f"The {kind} of number {number} is written to jane{number}@corp.org, and that is all. " * (
                number % 7
            )
            row = {"text": text or "\u200b?", "n": number}
            if kind == "chat":
                row = {"messages": [{"role": "user", "content": text or "?"}, {"role": "assistant", "content": text}]}
            rows.append("{" if number % 10 == 3 else json.dumps(row))
        path = folder / f"{kind}.jsonl"
        path.write_text("\n".join(rows), encoding="utf-8")
        sources.append({"name": kind, "kind": kind, "format": "chat" if kind == "chat" else "text", "path": str(path)})
    return sources


def here(_: object, function: Callable[[Any], Any], jobs: Iterable[Any], *, stage: str, on_done: Any) -> list[Any]:
    """`run_parts` in this process."""
    records = [function(job) for job in jobs]
    on_done(*records)
    return records


def curated(folder: Path, sources: list[dict[str, Any]]) -> tuple[dict[str, pa.Table], dict[str, Any]]:
    """Every file of pass one as a table, and what its manifest counts."""
    recipe = Recipe.model_validate(
        {
            "run": str(folder),
            "ingest": {"max_rejected": 0.5},
            "sources": sources,
            "curate": {"rules": {"preset": "gopher"}},
            "train": {"model": {"config": MODEL}},
        }
    )
    run = RunDirectory.open(recipe)
    manifest = documents.run_stage(run, recipe, documents.survey_sources(recipe), lambda: None)  # type: ignore[arg-type,return-value]
    files = sorted(path for path in folder.rglob("*.parquet"))
    counts = {"rows": manifest.rows, **manifest.summary}
    return {str(path.relative_to(folder)): pq.read_table(path).combine_chunks() for path in files}, counts


def test_where_a_part_is_cut_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "run_parts", here)
    sources = shards(tmp_path)
    whole, counts = curated(tmp_path / "whole", sources)
    assert min(counts["rows"].values()) > 10, "rows of every fate"
    assert counts["excerpts"]
    monkeypatch.setattr(streams, "CHUNK", 64)
    for slice_bytes in (500, 5000):
        monkeypatch.setattr(cpu, "slice_bytes", slice_bytes)
        again, same = curated(tmp_path / str(slice_bytes), sources)
        assert same == counts
        assert again.keys() == whole.keys()
        for name, table in whole.items():
            assert again[name].schema == table.schema
            assert repr(again[name].to_pylist()) == repr(table.to_pylist()), name  # as texts: NaN is NaN


def test_rows_are_written_in_the_order_in_which_they_came(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "run_parts", here)
    monkeypatch.setattr(streams, "CHUNK", 64)
    monkeypatch.setattr(cpu, "slice_bytes", 2000)
    files, _ = curated(tmp_path / "run", shards(tmp_path))

    def place(name: str) -> tuple[int, int]:
        source, _, number = name.partition("/")
        return KINDS.index(source), int(number.rpartition("#")[2])

    for name, table in files.items():
        places = [place(row) for row in table["id"].to_pylist()]
        assert places == sorted(places), name
    assert files["keys/part-00000.parquet"]["id"].equals(files["documents/part-00000.parquet"]["id"])


def test_a_part_that_fails_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "run_parts", here)
    monkeypatch.setattr(streams, "CHUNK", 64)
    monkeypatch.setattr(cpu, "slice_bytes", 2000)
    work = part.curate_slice
    slices = []

    def second_fails(*arguments: Any) -> Any:
        slices.append(arguments)
        if len(slices) == 2:
            raise OSError("the disk is gone")
        return work(*arguments)

    monkeypatch.setattr(part, "curate_slice", second_fails)
    with pytest.raises(OSError, match="the disk is gone"):
        curated(tmp_path / "run", shards(tmp_path))
    assert not [path for path in (tmp_path / "run").rglob("*") if ".parquet" in path.name]
