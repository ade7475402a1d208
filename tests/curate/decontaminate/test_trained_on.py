"""New test rows that an earlier batch's training rows hold in longer texts leave the test, whatever `action` says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.curate.decontaminate import held_out
from tests.curate.conftest import Curated
from tests.curate.decontaminate.naive import text_ngrams
from tests.curate.test_curate import NO_RULES, prose
from tests.killed import killed_in_every_step
from tests.text.words_of import ngrams_of

Curation = Callable[..., Curated]

SPLIT: dict[str, Any] = {"split": {"train": 0.5, "validation": 0.1, "test": 0.4}}
LICENCE = prose(999, words=40)
HELD = range(0, 80, 2)
"""Rows of the later batch that an earlier long row holds."""


def earlier() -> list[Any]:
    """Long rows, each around a row of the later batch; a sixteenth part of some others; a text that all share."""
    long = [f"{prose(1000 + n, 60)} {prose(n, 30)} {prose(2000 + n, 60)} {LICENCE}" for n in HELD]
    some = [f"{prose(3000 + n, 60)} {' '.join(prose(n, 30).split()[:14])}" for n in range(1, 80, 2)]
    return [{"text": text} for text in [*long, *some]]


def later() -> list[Any]:
    return [{"text": f"{prose(n, 30)}. {LICENCE if n % 3 else ''}"} for n in range(80)]


def texts(done: Curated, *splits: str) -> dict[str, str]:
    return {row["id"]: row["messages"][0]["content"] for name in splits for row in done.splits[name].to_pylist()}


def expected(first: Curated, alone: Curated) -> dict[str, tuple[str, float]]:
    """Test row → the earlier training row that holds most of it, and how much, in plain Python."""
    trained = {name: set(ngrams_of(text, 13)) for name, text in texts(first, "train").items()}
    every = [*trained.values()]
    every += [set(ngrams_of(text, 13)) for text in texts(alone, "train", "validation", "test").values()]
    found: dict[str, tuple[str, float]] = {}
    for test, text in texts(alone, "test").items():
        grams = {gram for gram in text_ngrams(text, 13, 8) if sum(gram in other for other in every) <= 10}
        for name, other in sorted(trained.items()):
            share = len(grams & other) / len(grams) if grams else 0.0
            if share >= 0.5 and share > found.get(test, ("", 0.0))[1]:
                found[test] = (name, share)
    return found


@pytest.fixture
def batch(run_curation: Curation, tmp_path: Path) -> Callable[..., Curated]:
    """The later batch of a series, behind an earlier one; or, with `alone`, without one."""

    def run(name: str, *, alone: bool = False, curate: dict[str, Any] = {}, **changes: Any) -> Curated:  # noqa: B006
        settings = {**NO_RULES, **SPLIT, **curate}
        before = {} if alone else {"retrain": {"earlier": [str(tmp_path / "0001")]}}
        return run_curation(later(), name=name, file="later", curate=settings, **before, **changes)

    return run


@pytest.fixture
def first(run_curation: Curation) -> Curated:
    return run_curation(
        earlier(), name="0001", file="earlier", curate={**NO_RULES, **SPLIT}, ingest={"part_bytes": 8192}
    )


def test_they_leave_the_test_with_the_reason(first: Curated, batch: Callable[..., Curated]) -> None:
    alone, second = batch("alone", alone=True), batch("0002")
    wanted = expected(first, alone)
    assert len(list((first.root / "curated/train").iterdir())) > 1, "over several parts"
    assert 2 < len(wanted) < len(alone.splits["test"]), "some, not all"
    lines = second.ledger.to_pylist()
    assert {line["id"]: (line["evidence"], line["value"]) for line in lines} == wanted
    assert {(line["stage"], line["rule"], line["threshold"]) for line in lines} == {
        ("decontaminate", "earlier_text", 0.5)
    }
    kept = texts(second, "test").keys() - texts(first, "test").keys()
    assert kept == texts(alone, "test").keys() - wanted.keys()
    assert texts(alone, "train").items() <= texts(second, "train").items(), "no training row is taken for it"
    counts = second.manifest["rows"]
    assert counts["in"] == counts["kept"] + counts["dropped"] + counts["rejected"]
    assert counts["dropped"] == len(wanted)
    summary = json.loads((second.root / "contamination/_manifest.json").read_text())["summary"]
    assert summary["earlier"] == len(wanted)


def test_passages_that_rows_share_are_looked_for_in_what_stays(first: Curated, batch: Callable[..., Curated]) -> None:
    """With cuts the rows that were taken out take no part, and are in the ledger once."""
    second = batch("0002", curate={"dedup": {"substrings": {"action": "cut", "documents": 5, "length": 100}}})
    out = {line["id"] for line in second.ledger.to_pylist() if line["rule"] == "earlier_text"}
    assert len(out) > 2
    assert not out & set(second.kept["id"].to_pylist())
    assert len([line for line in second.ledger["id"].to_pylist() if line in out]) == len(out)


def test_stopped_in_any_step_and_started_again(
    first: Curated, batch: Callable[..., Curated], monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = {"ingest": {"part_bytes": 16384}}
    whole = batch("0002", **parts)
    done, steps = killed_in_every_step(lambda: batch("stopped", **parts), held_out, monkeypatch)
    assert steps == ["hash_part", "find_part", "find_earlier", "match_earlier", "decide_part"]
    assert {name: content for name, content in done.bytes().items() if "_manifest" not in name} == {
        name: content for name, content in whole.bytes().items() if "_manifest" not in name
    }
