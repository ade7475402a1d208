"""Every row is in exactly one place, and `inspect` says which."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.config import Recipe
from pipeline.errors import InputError, RunDirectoryError
from pipeline.inspect_run import Dropped, Kept, dropped_rows, drops_by_rule, find_row
from pipeline.run import Rows, RunDirectory, Stage
from pipeline.schema import CURATED, LEDGER, SIGNALS, SPLITS

KEPT = {"train": ["notes/a.jsonl#0", "notes/a.jsonl#3"], "validation": ["notes/a.jsonl#4"], "test": ["code/b.py#0"]}
DROPPED = [
    ("notes/a.jsonl#1", "filter", "word_count", 2.0, 5.0, None),
    ("notes/a.jsonl#1", "filter", "url_share", 0.9, 0.5, None),
    ("notes/a.jsonl#2", "fuzzy", "similarity", 0.93, 0.8, "notes/a.jsonl#0"),
    ("notes/a.jsonl#5", "ingest", "json", None, None, "a.jsonl, line 6"),
    ("notes/a.jsonl#6", "filter", "word_count", 1.0, 5.0, None),
]


def curated_row(row_id: str) -> dict[str, Any]:
    return {
        "id": row_id,
        "source": row_id.partition("/")[0],
        "kind": "text",
        "messages": [{"role": "text", "content": f"<EMAIL> wrote {row_id}", "extra": None}],
        "tools": None,
        "metadata": '{"page": 1}',
        "cluster": 7,
    } | {name: "en" if dtype == pa.string() else 1 for name, dtype in SIGNALS.items()}


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    """A curated run of nine rows, as `curate` leaves it."""
    recipe = Recipe.model_validate(
        {
            "run": str(tmp_path / "run"),
            "sources": [{"name": "notes", "kind": "text", "target": "a:b"}],
            "train": {"model": {"config": {"model_type": "llama"}}},
        }
    )
    run = RunDirectory.open(recipe)
    stage = Stage(run=run, name="curated", version=1, config={}, inputs={}, folders=("curated", "ledger"))
    stage.begin()
    files = {}
    for split in SPLITS:
        name = f"curated/{split}/part-00000.parquet"
        run.path(name).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist([curated_row(row) for row in KEPT[split]], schema=CURATED), run.path(name))
        files[name] = len(KEPT[split])
    lines = [dict(zip(LEDGER.names, (line[0], line[0].partition("/")[0], *line[1:]), strict=True)) for line in DROPPED]
    run.path("ledger").mkdir(exist_ok=True)
    pq.write_table(pa.Table.from_pylist(lines, schema=LEDGER), run.path("ledger/part-00000.parquet"))
    stage.commit("part-00000", {**files, "ledger/part-00000.parquet": len(lines)}, {})
    stage.finish(rows=Rows(in_=8, kept=4, dropped=3, rejected=1))
    # A stray file is no part of the run.
    pq.write_table(
        pa.Table.from_pylist([curated_row("notes/a.jsonl#99")], schema=CURATED), run.path("curated/test/x.parquet")
    )
    return run


@pytest.mark.parametrize(("split", "row_id"), [(split, row) for split, rows in KEPT.items() for row in rows])
def test_a_kept_row_is_in_its_split_as_it_is_stored(run: RunDirectory, split: str, row_id: str) -> None:
    found = find_row(run, row_id)
    assert isinstance(found, Kept)
    assert found.split == split
    assert dict(found.row) == curated_row(row_id)


@pytest.mark.parametrize("row_id", sorted({line[0] for line in DROPPED}))
def test_a_dropped_row_has_every_line_of_the_ledger(run: RunDirectory, row_id: str) -> None:
    found = find_row(run, row_id)
    assert isinstance(found, Dropped)
    assert [line["rule"] for line in found.lines] == [line[2] for line in DROPPED if line[0] == row_id]
    assert {line["id"] for line in found.lines} == {row_id}


@pytest.mark.parametrize(
    ("row_id", "near"),
    [
        ("notes/a.jsonl#44", "notes/a.jsonl#4"),
        ("notes/a.json#0", "notes/a.jsonl#0"),
        ("nots/a.jsonl#0", "notes/a.jsonl#0"),
        ("code/b.py", "code/b.py#0"),
    ],
)
def test_an_unknown_id_names_a_near_one(run: RunDirectory, row_id: str, near: str) -> None:
    with pytest.raises(InputError) as caught:
        find_row(run, row_id)
    assert f"(did you mean {near!r}?)" in str(caught.value)
    assert "sources: code, notes" in str(caught.value)


def test_a_file_that_no_manifest_names_is_not_looked_into(run: RunDirectory) -> None:
    with pytest.raises(InputError, match="no row of this run has the id"):
        find_row(run, "notes/a.jsonl#99")


def test_drops_are_counted_by_rule_the_most_frequent_first(run: RunDirectory) -> None:
    counts = drops_by_rule(run)
    assert next(iter(counts.items())) == (("filter", "word_count"), 2)
    assert sum(counts.values()) == len(DROPPED)


def test_dropped_rows_are_those_of_the_rule_up_to_the_limit(run: RunDirectory) -> None:
    assert len(dropped_rows(run)) == len(DROPPED)
    assert [row["id"] for row in dropped_rows(run, limit=2)] == ["notes/a.jsonl#1", "notes/a.jsonl#1"]
    assert [row["id"] for row in dropped_rows(run, rule="word_count")] == ["notes/a.jsonl#1", "notes/a.jsonl#6"]
    assert [row["id"] for row in dropped_rows(run, rule="word_count", limit=1)] == ["notes/a.jsonl#1"]


def test_a_rule_that_dropped_nothing_is_empty_and_one_that_does_not_exist_is_refused(run: RunDirectory) -> None:
    assert dropped_rows(run, rule="line_count") == []
    with pytest.raises(InputError, match=r"no rule is called 'word_cont' \(did you mean 'word_count'\?\)"):
        dropped_rows(run, rule="word_cont")


def test_a_run_without_curation_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(RunDirectoryError, match="curate-and-train curate RECIPE"):
        find_row(RunDirectory(tmp_path), "a/b#0")
