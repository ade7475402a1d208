"""The run's own test split, held against its training and validation rows."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipeline.curate.decontaminate import held_out, holding
from pipeline.schema import SPLITS
from tests.curate.conftest import Curated
from tests.curate.decontaminate.naive import text_ngrams
from tests.curate.test_curate import NO_RULES, prose
from tests.killed import killed_in_every_step
from tests.text.words_of import ngrams_of

Curation = Callable[..., Curated]

SETTINGS: dict[str, Any] = {**NO_RULES, "split": {"train": 0.6, "validation": 0.2, "test": 0.2}}
LICENCE = prose(999, words=40)


def rows() -> list[Any]:
    """Short rows, long rows that hold some of them, and a text that all share."""
    short = [{"text": f"{prose(seed, 30)}. {LICENCE if seed % 3 else ''}"} for seed in range(60)]
    inside = [f"{prose(1000 + seed)} {prose(seed, 30)} {prose(2000 + seed)} {LICENCE}" for seed in range(0, 60, 2)]
    long = [{"text": text} for text in inside]
    few = [{"text": f"{prose(3000 + seed)} {' '.join(prose(seed, 30).split()[:16])}"} for seed in range(1, 60, 2)]
    return [*short, *long, *few]


def expected(done: Curated, share: float = 0.5, common: int = 10) -> dict[str, tuple[str, float]]:
    """Row of training or validation → the test row that it holds most of, and how much, in plain Python."""
    texts = {split: _texts(done, split) for split in SPLITS}
    every = {name: text for part in texts.values() for name, text in part.items()}
    held = {name: set(ngrams_of(text, 13)) for name, text in every.items()}
    found: dict[str, tuple[str, float]] = {}
    for test, text in texts["test"].items():
        grams = {g for g in text_ngrams(text, 13, 8) if sum(g in other for other in held.values()) <= common}
        for name in (*texts["train"], *texts["validation"]):
            part = len(grams & held[name]) / len(grams) if grams else 0.0
            if part >= share and part > found.get(name, ("", 0.0))[1]:
                found[name] = (test, part)
    return found


def _texts(done: Curated, split: str) -> dict[str, str]:
    return {row["id"]: row["messages"][0]["content"] for row in done.splits[split].to_pylist()}


def _lines(done: Curated) -> dict[str, tuple[str, float]]:
    tables = [pq.read_table(path) for path in sorted((done.root / "contamination").glob("part-*.parquet"))]
    return {line["id"]: (line["evidence"], line["value"]) for table in tables for line in table.to_pylist()}


def test_rows_that_hold_a_test_row_are_found_and_reported(run_curation: Curation) -> None:
    done = run_curation(rows(), curate=SETTINGS)
    wanted = expected(done)
    assert len(wanted) > 3
    assert _lines(done) == wanted
    said = json.loads((done.root / "contamination/_manifest.json").read_text())["summary"]
    assert sum(said["rows"].values()) == len(wanted)
    assert said["test_rows"] == len(done.splits["test"])
    assert said["common_ngrams"] > 20
    assert said["sampled"] == 1
    assert len(done.ledger) == 0


def test_drop_takes_them_out(run_curation: Curation) -> None:
    kept = run_curation(rows(), name="kept", file="data", curate=SETTINGS)
    drop = {"test_split": {"action": "drop"}}
    done = run_curation(rows(), name="done", file="data", curate={**SETTINGS, "decontaminate": drop})
    wanted = expected(kept)
    assert {line["id"]: (line["evidence"], line["value"]) for line in done.ledger.to_pylist()} == wanted
    assert set(done.ledger["stage"].to_pylist()) == {"decontaminate"}
    assert set(done.ledger["rule"].to_pylist()) == {"test_text"}
    assert set(done.kept["id"].to_pylist()) == set(kept.kept["id"].to_pylist()) - set(wanted)
    counts = done.manifest["rows"]
    assert counts["in"] == counts["kept"] + counts["dropped"] + counts["rejected"]
    assert counts["dropped"] == len(wanted)
    assert expected(done) == {}


def test_parts_and_the_order_of_rows_change_nothing(run_curation: Curation) -> None:
    one = run_curation(rows(), name="one", file="data", curate=SETTINGS)
    many = run_curation(rows(), name="many", file="data", curate=SETTINGS, ingest={"part_bytes": 4096})
    assert len(list((many.root / "contamination").glob("part-*"))) > 5
    assert _lines(one) == _lines(many)
    other = run_curation(random.Random(5).sample(rows(), len(rows())), name="other", curate=SETTINGS)

    def texts(done: Curated) -> set[tuple[str, str]]:
        every = {name: text for split in SPLITS for name, text in _texts(done, split).items()}
        return {(every[row], every[test]) for row, (test, _) in _lines(done).items()}

    assert texts(one) == texts(other)


def test_of_a_large_test_split_a_sample_is_looked_at(run_curation: Curation, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run_curation(rows(), name="whole", file="data", curate=SETTINGS)
    monkeypatch.setattr(holding, "_NGRAMS", 1300)
    done = run_curation(rows(), name="done", file="data", curate=SETTINGS)
    said = json.loads((done.root / "contamination/_manifest.json").read_text())["summary"]
    assert said["sampled"] in (2, 4)
    assert said["ngrams"] <= 1300
    assert len(set(_lines(done)) & set(_lines(whole))) > len(_lines(whole)) / 2


def test_without_a_test_split_there_is_nothing_to_hold(run_curation: Curation) -> None:
    done = run_curation(rows()[:20], curate={"split": {"train": 1.0, "validation": 0.0, "test": 0.0}, **NO_RULES})
    assert _lines(done) == {}
    assert len(done.kept) == 20


def test_stopped_in_any_step_and_started_again(run_curation: Curation, monkeypatch: pytest.MonkeyPatch) -> None:
    drop = {**SETTINGS, "decontaminate": {"test_split": {"action": "drop"}}}
    parts = {"ingest": {"part_bytes": 16384}}
    whole = run_curation(rows(), name="whole", file="data", curate=drop, **parts)

    def run() -> Curated:
        return run_curation(rows(), name="stopped", file="data", curate=drop, **parts)

    done, steps = killed_in_every_step(run, held_out, monkeypatch)
    assert steps == ["hash_part", "find_part", "decide_part"]
    assert done.bytes() == whole.bytes()
    assert (done.root / "contamination/_manifest.json").read_bytes() == (
        whole.root / "contamination/_manifest.json"
    ).read_bytes()
