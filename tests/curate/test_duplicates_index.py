"""A batch after a batch keeps the rows of both at once, and the index survives whatever stops an append."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config import Dedup
from pipeline.curate import duplicates
from pipeline.curate.dedup.breaker import check
from pipeline.curate.dedup.collisions import Part
from pipeline.curate.dedup.decide import decide
from pipeline.curate.dedup.index import Index
from pipeline.curate.duplicates import DECISIONS
from pipeline.errors import InputError, StageError
from pipeline.pack import pack
from pipeline.run import RunDirectory
from tests.curate.conftest import Curated
from tests.curate.planted import DEDUP, as_parts, by_id, families, keys_table, serial
from tests.curate.test_curate import NO_RULES, edited, prose
from tests.killed import Killed

Curation = Callable[..., Curated]


def _batch(table: pa.Table, dedup: Dedup, folder: Path, index: Index, name: str) -> set[str]:
    """Deduplicate one batch against the index, append what is kept, and return its ids."""
    earlier = index.parts()
    start = sum(part.rows for part in earlier)
    own = [
        Part(path=part.path, start=part.start + start, rows=part.rows)
        for part in as_parts(table, folder / name, [len(table) // 3])
    ]
    found = by_id(table, decide([*earlier, *own], dedup, folder / f"{name}-work", serial))
    paths = []
    for part in own:
        rows = [found[row] for row in pq.read_table(part.path)["id"].to_pylist()]
        names = pq.read_table(part.path)["id"].to_pylist()
        paths.append(folder / f"{name}-decisions-{part.path.name}")
        decisions = [
            {
                "survivor": None if row[0] == own_name else row[0],
                "stage": None if row[0] == own_name else "fuzzy",
                "similarity": None,
                "cluster": 0,
            }
            for own_name, row in zip(names, rows, strict=True)
        ]
        pq.write_table(pa.Table.from_pylist(decisions, schema=DECISIONS), paths[-1])
    index.append([part.path for part in own], paths, serial)
    return {row for row in table["id"].to_pylist() if found[row][0] == row}


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32), counts=st.lists(st.integers(0, 40), min_size=2, max_size=3))
def test_batches_keep_what_their_union_keeps(seed: int, counts: list[int]) -> None:
    sketches = families(seed, max(1, sum(counts)), alphabet=6)[: sum(counts)]
    bounds = np.cumsum([0, *counts])
    tables = [
        keys_table(sketches[start:end], prefix=f"{name}#", seed=seed + start)
        for name, start, end in zip("abc", bounds, bounds[1:], strict=False)
    ]
    dedup = Dedup.model_validate(DEDUP)
    with tempfile.TemporaryDirectory() as name:
        folder, kept = Path(name), set()
        for number, table in enumerate(tables):
            index = Index.open(folder / "index", dedup, str(number))
            assert len(index.batches) == number
            kept |= _batch(table, dedup, folder, index, str(number))
        ranked = [
            table.set_column(1, table.schema.field(1), pa.array(table["priority"].to_numpy() - 10 * number))
            for number, table in enumerate(tables)
        ]
        union = pa.concat_tables(ranked).combine_chunks()
        found = by_id(union, decide(as_parts(union, folder / "union"), dedup, folder / "union-work", serial))
    assert kept == {name for name, row in found.items() if row[0] == name}


def _recipe(batch: list[str]) -> list[dict[str, Any]]:
    return [{"text": text} for text in batch]


A = [prose(seed) for seed in range(30)] + [prose(0), edited(prose(1), 1)]
B = [edited(prose(2), 2), prose(3), prose(50), edited(prose(50), 3), *(prose(seed) for seed in range(60, 70))]


def test_runs_one_after_the_other(run_curation: Curation, tmp_path: Path) -> None:
    curate = {"dedup": {"index": str(tmp_path / "index")}, **NO_RULES}
    first = run_curation(_recipe(A), name="first", file="a", curate=curate)
    second = run_curation(_recipe(B), name="second", file="b", curate=curate)
    assert len(first.kept) == 30
    assert len(second.kept) == 11
    lines = {line["id"]: line for line in second.ledger.to_pylist()}
    assert lines["s/b.jsonl#0"]["stage"] == "fuzzy"
    assert lines["s/b.jsonl#1"]["stage"] == "exact"
    assert lines["s/b.jsonl#1"]["evidence"] == "s/a.jsonl#3"
    manifest = json.loads((tmp_path / "index/_index.json").read_text())
    assert [batch["rows"] for batch in manifest["batches"]] == [30, 11]
    # Neither run, repeated, sees its own batch or a later one.
    before = {path: path.read_bytes() for path in sorted((tmp_path / "index").rglob("*")) if path.is_file()}
    for done, rows, file in ((first, A, "a"), (second, B, "b")):
        (done.root / "duplicates/_manifest.json").unlink()
        assert run_curation(_recipe(rows), name=done.root.name, file=file, curate=curate).bytes() == done.bytes()
    assert {path: path.read_bytes() for path in sorted((tmp_path / "index").rglob("*")) if path.is_file()} == before


def test_an_index_of_other_parameters_is_refused(run_curation: Curation, tmp_path: Path) -> None:
    index = str(tmp_path / "index")
    run_curation(_recipe(A), name="first", file="a", curate={"dedup": {"index": index}, **NO_RULES})
    said = {
        'made with fuzzy.shingle: {"characters": 5}, and this recipe asks for fuzzy.shingle: {"characters": 12}': {
            "fuzzy": {"shingle": 12}
        },
        'made with fuzzy.threshold: 0.8, on: "row", and this recipe asks for fuzzy.threshold: 0.9, on: "prompt"': {
            "fuzzy": {"threshold": 0.9},
            "on": "prompt",
        },
        ", and this recipe asks for fuzzy: null": {"fuzzy": None},
    }
    for number, (message, dedup) in enumerate(said.items()):
        other = {"dedup": {"index": index, **dedup}, **NO_RULES}
        with pytest.raises(InputError, match=re.escape(message)) as raised:
            run_curation(_recipe(B), name=f"other-{number}", file="b", curate=other)
        assert "new folder" in raised.value.mend


def test_an_index_of_format_3_is_held_against_and_added_to(tmp_path: Path) -> None:
    """It has sketches as lists of numbers; what comes to it is written as format 4."""
    dedup, kept = Dedup.model_validate(DEDUP), {}
    tables = [keys_table(families(seed, 60, alphabet=6), prefix=f"{seed}#", seed=seed) for seed in range(3)]
    for made in (3, 4):
        home = tmp_path / str(made)
        folder = home / "index"
        _batch(tables[0], dedup, home, Index.open(folder, dedup, "0"), "0")
        if made == 3:
            _as_format_3(folder)
        kept[made] = [_batch(tables[n], dedup, home, Index.open(folder, dedup, str(n)), str(n)) for n in (1, 2)]
        types = [str(pq.read_schema(part.path).field("sketch").type) for part in Index.open(folder, dedup, "3").parts()]
        assert set(types[:2]) == {"list<element: uint32>" if made == 3 else "large_binary"}
        assert set(types[2:]) == {"large_binary"}
        assert json.loads((folder / "_index.json").read_text())["format"] == 4
    assert kept[3] == kept[4]
    assert 0 < len(kept[4][0]) < 60, "some rows went"
    manifest = json.loads((folder / "_index.json").read_text())
    (folder / "_index.json").write_text(json.dumps(manifest | {"format": 2}))
    with pytest.raises(InputError, match="made with format 2, and this recipe asks for format 4"):
        Index.open(folder, dedup, "3")


def _as_format_3(folder: Path) -> None:
    manifest = json.loads((folder / "_index.json").read_text())
    for file in manifest["batches"][0]["files"]:
        path = folder / file["name"]
        table = pq.read_table(path)
        lists = [None if one is None else np.frombuffer(one, "<u4") for one in table["sketch"].to_pylist()]
        pq.write_table(table.set_column(2, "sketch", pa.array(lists, pa.list_(pa.uint32()))), path)
        file["bytes"] = path.stat().st_size
    (folder / "_index.json").write_text(json.dumps(manifest | {"format": 3}))


def test_a_damaged_index_is_refused(tmp_path: Path) -> None:
    dedup, folder = Dedup.model_validate(DEDUP), tmp_path / "index"
    _batch(keys_table(families(0, 20)), dedup, tmp_path, Index.open(folder, dedup, "a"), "a")
    next(folder.glob("batch-*/*.parquet")).write_bytes(b"")
    with pytest.raises(InputError, match="missing or damaged"):
        Index.open(folder, dedup, "b").parts()
    (folder / "_index.json").write_text("{}")
    with pytest.raises(InputError, match="manifest of the index"):
        Index.open(folder, dedup, "b")


def test_a_killed_append_leaves_the_index_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dedup, folder = Dedup.model_validate(DEDUP), tmp_path / "index"
    _batch(keys_table(families(0, 30)), dedup, tmp_path, Index.open(folder, dedup, "a"), "a")
    old = Index.open(folder, dedup, "b")
    table = keys_table(families(1, 30), prefix="b#")
    replace, stopped = os.replace, 0

    for stop in range(3):  # two parts and the manifest
        left = min(stop, 1)  # what an earlier try wrote is there

        def killed(source: Any, target: Any) -> None:
            nonlocal left, stopped
            if "index" in str(target):
                if left == 0:
                    stopped += 1
                    raise Killed
                left -= 1
            replace(source, target)

        monkeypatch.setattr(os, "replace", killed)
        with pytest.raises(Killed):
            _batch(table, dedup, tmp_path, Index.open(folder, dedup, "b"), "b")
        monkeypatch.undo()
        assert Index.open(folder, dedup, "b") == old
    assert stopped == 3
    _batch(table, dedup, tmp_path, Index.open(folder, dedup, "b"), "b")
    assert len(Index.open(folder, dedup, "c").batches) == 2


def test_two_runs_cannot_append_unseen_by_each_other(tmp_path: Path) -> None:
    dedup, folder = Dedup.model_validate(DEDUP), tmp_path / "index"
    one, other = Index.open(folder, dedup, "a"), Index.open(folder, dedup, "b")
    _batch(keys_table(families(0, 20)), dedup, tmp_path, one, "a")
    with pytest.raises(StageError, match="grew while"):
        _batch(keys_table(families(0, 20)), dedup, tmp_path, other, "b")


def test_a_finished_run_appends_what_a_kill_kept_back(
    run_curation: Curation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The index may be put back as it was before the run, from a copy."""
    curate = {"dedup": {"index": str(tmp_path / "index")}, **NO_RULES}
    run_curation(_recipe(A), name="first", file="a", curate=curate)
    (tmp_path / "index/_index.json").unlink()
    ran: list[str] = []
    decided = duplicates.decide
    monkeypatch.setattr(duplicates, "decide", lambda *a, **k: ran.append("again") or decided(*a, **k))
    run_curation(_recipe(A), name="first", file="a", curate=curate)
    assert ran == []
    manifest = json.loads((tmp_path / "index/_index.json").read_text())
    assert [batch["rows"] for batch in manifest["batches"]] == [30]


CHANGED: list[dict[str, Any]] = [
    {"curate": {"dedup": {"fuzzy": {"max_cluster": 6000}}}},
    {"curate": {"dedup": {"fuzzy": {"bands": {"count": 20, "rows": 4}}}}},
    {"curate": {"dedup": {"fuzzy": {"verify": "exact"}}}},
    {"curate": {"dedup": {"order": ["length", "id"]}}},
    {"curate": {"split": {"train": 1, "validation": 0, "test": 0}}},
    {"ingest": {"part_bytes": 16384}},
]


def _manifest(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "index/_index.json").read_text())  # type: ignore[no-any-return]


@pytest.mark.parametrize("change", CHANGED, ids=json.dumps)
def test_a_changed_recipe_knows_its_own_rows(run_curation: Curation, tmp_path: Path, change: dict[str, Any]) -> None:
    index = {"index": str(tmp_path / "index")}
    kept = run_curation(_recipe(A), file="a", curate={"dedup": index, **NO_RULES}).kept["id"].to_pylist()
    before = _manifest(tmp_path)
    changed = change.get("curate", {})
    curate = {**NO_RULES, **changed, "dedup": {**index, **changed.get("dedup", {})}}
    again = run_curation(_recipe(A), file="a", **{**change, "curate": curate})
    assert sorted(again.kept["id"].to_pylist()) == sorted(kept)
    assert len(_manifest(tmp_path)["batches"]) == 1
    assert _manifest(tmp_path)["batches"][0]["kept"] == before["batches"][0]["kept"]


def test_the_index_holds_what_the_last_recipe_kept(run_curation: Curation, tmp_path: Path) -> None:
    index = {"index": str(tmp_path / "index"), "order": ["id"]}
    short = {"index": index["index"], "order": [{"signal": "char_count", "largest": False}, "id"]}
    texts = [prose(1), prose(2), prose(1)[:-12]]
    run_curation(_recipe(texts), name="first", file="a", curate={"dedup": index, **NO_RULES})
    run_curation(_recipe(B[4:]), name="second", file="b", curate={"dedup": index, **NO_RULES})
    changed = run_curation(_recipe(texts), name="first", file="a", curate={"dedup": short, **NO_RULES})
    assert sorted(changed.kept["id"].to_pylist()) == ["s/a.jsonl#1", "s/a.jsonl#2"]
    batches = _manifest(tmp_path)["batches"]
    assert len(batches) == 2
    held = [row for file in batches[0]["files"] for row in pq.read_table(tmp_path / "index" / file["name"])["id"]]
    assert sorted(map(str, held)) == ["s/a.jsonl#1", "s/a.jsonl#2"]


@pytest.mark.parametrize("ending", ["", " And more."])
def test_rows_that_are_read_a_second_time_stop_the_run(run_curation: Curation, tmp_path: Path, ending: str) -> None:
    """With other rows beside them, or with texts that another recipe made of them."""
    dedup = {"index": str(tmp_path / "index")}
    texts = [f"{text}{ending}" for text in A]
    run_curation(_recipe(A), file="a", curate={"dedup": dedup, **NO_RULES})
    more = _recipe([*texts, *B[4:]])
    with pytest.raises(InputError, match="30 of 42 rows would go in favour of rows of the index") as raised:
        run_curation(more, file="a", curate={"dedup": dedup, **NO_RULES})
    assert "max_repeated: 1" in raised.value.mend
    assert len(_manifest(tmp_path)["batches"]) == 1
    allowed = {"dedup": {**dedup, "max_repeated": 1.0}, **NO_RULES}
    assert len(run_curation(more, file="a", curate=allowed).kept) == 10
    with pytest.raises(InputError, match="max_repeated"):  # also of what is there
        run_curation(more, file="a", curate={"dedup": dedup, **NO_RULES})


def test_a_batch_of_nothing_new_is_told_of_and_packing_it_ends_with_one_message(
    run_curation: Curation, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    dedup = {"index": str(tmp_path / "index")}
    run_curation(_recipe(A), name="first", file="a", curate={"dedup": dedup, **NO_RULES})
    assert "warning" not in capfd.readouterr().err, "rows are kept"
    done = run_curation(_recipe(A[5:20]), name="second", file="b", curate={"dedup": dedup, **NO_RULES})
    assert len(done.kept) == 0
    assert set(done.ledger["stage"].to_pylist()) == {"exact"}
    told = "warning: none of the 15 rows read is kept: 15 at `exact`; 15 of them are like rows of the index"
    assert capfd.readouterr().err.count(told) == 1
    assert [batch["rows"] for batch in _manifest(tmp_path)["batches"]] == [30, 0]
    run, recipe = RunDirectory.existing(tmp_path / "second")
    with pytest.raises(InputError, match=r"the train split has no rows \(curation kept 0 of 15\)"):
        pack(run, recipe)
    # A batch after an empty one sees the first.
    third = run_curation(_recipe([*A[2:5], *B[4:]]), name="third", file="c", curate={"dedup": dedup, **NO_RULES})
    assert sorted(third.ledger["evidence"].to_pylist()) == ["s/a.jsonl#2", "s/a.jsonl#3", "s/a.jsonl#4"]


def test_a_batch_that_is_like_the_index_trips_the_breaker_that_names_it(
    run_curation: Curation, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    dedup: dict[str, Any] = {"index": str(tmp_path / "index")}
    run_curation(_recipe(A), name="first", file="a", curate={"dedup": dedup, **NO_RULES})
    near = _recipe([edited(text, 4) for text in A[:10]])
    with pytest.raises(InputError, match=r"would remove 10 of 10 rows \(100.0%\)") as raised:
        run_curation(near, name="second", file="b", curate={"dedup": dedup, **NO_RULES})
    assert raised.value.where == f"10 rows go in favour of rows of the index {tmp_path / 'index'}"
    assert "look whether this batch says what earlier ones said" in raised.value.mend
    assert "raise curate.dedup.fuzzy.max_removed" in raised.value.mend
    allowed = {"dedup": {**dedup, "fuzzy": {"max_removed": 1.0}}, **NO_RULES}
    assert len(run_curation(near, name="second", file="b", curate=allowed).kept) == 0
    assert "none of the 10 rows read is kept: 10 at `fuzzy`; 10 of them" in capfd.readouterr().err


def test_the_breaker_tells_a_cluster_of_the_batch_from_what_the_index_holds() -> None:
    """A template of which the index holds one row: another index would not help."""
    load = {"rows": 1000, "near": 1000, "largest": 1000, "survivor": "a#1", "near_indexed": 1000, "repeated": 0}
    with pytest.raises(InputError, match="would remove 1000 of 1000 rows") as raised:
        check(load, Dedup())
    assert "look at that cluster first" in raised.value.mend
    with pytest.raises(InputError, match="would remove 1000 of 1000 rows") as raised:
        check({**load, "largest": 3}, Dedup())
    assert "a new curate.dedup.index may let the run pass" in raised.value.mend


@pytest.mark.parametrize("action", ["report", "drop"])
def test_a_row_that_went_for_the_test_row_it_holds_keeps_its_copies_out(
    run_curation: Curation, tmp_path: Path, action: str
) -> None:
    """It survived deduplication, so its copies go as they would had both batches been curated at once."""
    curate: dict[str, Any] = {
        **NO_RULES,
        "split": {"train": 0.5, "validation": 0.0, "test": 0.5},
        "decontaminate": {"test_split": {"action": action}},
        "dedup": {"order": ["id"]},
    }
    batches = {"a": _holding(0), "b": [edited(row, 3) for row in _holding(0)[30:]] + _holding(60)}
    done = {}
    for name, texts in batches.items():
        dedup = {**curate["dedup"], "index": str(tmp_path / "index")}
        done[name] = run_curation(_recipe(texts), name=name, curate={**curate, "dedup": dedup})
    whole = tmp_path / "data" / "whole"
    whole.mkdir()
    for name in batches:
        (tmp_path / "data" / f"{name}.jsonl").rename(whole / f"{name}.jsonl")
    source = {"name": "s", "kind": "text", "format": "text", "path": str(whole / "*.jsonl")}
    both = run_curation([], name="both", curate=curate, sources=[source])
    kept = {name: set(one.kept["id"].to_pylist()) for name, one in {**done, "both": both}.items()}
    gone = {line["id"] for line in done["a"].ledger.to_pylist() if line["stage"] == "decontaminate"}
    assert (len(gone) > 3) == (action == "drop")
    copies = {line["evidence"] for line in done["b"].ledger.to_pylist() if line["stage"] == "fuzzy"}
    assert copies == {f"s/a.jsonl#{row}" for row in range(30, 60)}
    assert gone <= copies
    assert kept["a"] | kept["b"] == kept["both"]


def _holding(first: int) -> list[str]:
    """Thirty short texts, and thirty long ones that hold one each."""
    seeds = range(first, first + 30)
    return [prose(seed, 30) for seed in seeds] + [
        f"{prose(1000 + seed)} {prose(seed, 30)} {prose(2000 + seed)}" for seed in seeds
    ]
