"""Batches of a series are held against one another in both directions, and again once rows were cut."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.curate.conftest import Curated
from tests.curate.decontaminate.naive import text_ngrams
from tests.curate.test_curate import NO_RULES, prose
from tests.text.words_of import ngrams_of

Curation = Callable[..., Curated]

SPLIT: dict[str, Any] = {"split": {"train": 0.5, "validation": 0.1, "test": 0.4}}
LICENCE = prose(999, words=20)
NOTICE = prose(888, words=60)


def texts(done: Curated, *splits: str) -> dict[str, str]:
    return {row["id"]: row["messages"][0]["content"] for name in splits for row in done.splits[name].to_pylist()}


def held(tests: dict[str, str], rows: dict[str, str], others: list[str]) -> dict[str, tuple[str, float]]:
    """Row → the test row that it holds most of, and how much, in plain Python; n-grams of many texts do not count."""
    grams = {name: set(ngrams_of(text, 13)) for name, text in rows.items()}
    every = [*grams.values(), *(set(ngrams_of(text, 13)) for text in others)]
    found: dict[str, tuple[str, float]] = {}
    for test, text in sorted(tests.items()):
        wanted = {gram for gram in text_ngrams(text, 13, 8) if sum(gram in other for other in every) <= 10}
        for name, other in grams.items():
            share = len(wanted & other) / len(wanted) if wanted else 0.0
            if share >= 0.5 and share > found.get(name, ("", 0.0))[1]:
                found[name] = (test, share)
    return found


def test_a_new_row_that_holds_an_earlier_test_row_goes(run_curation: Curation, tmp_path: Path) -> None:
    """Whatever `action` says: the candidate alone would have read what both models are tested on."""
    short = [f"{prose(n, 30)}. {LICENCE if n % 3 else ''}" for n in range(40)]
    long = [f"{prose(1000 + n, 20)} {prose(n, 30)} {prose(2000 + n, 20)} {LICENCE}" for n in range(0, 40, 2)]
    some = [f"{prose(3000 + n, 20)} {' '.join(prose(n, 30).split()[:14])}" for n in range(1, 40, 2)]
    curate = {**NO_RULES, **SPLIT}
    first = run_curation([{"text": text} for text in short], name="0001", file="earlier", curate=curate)
    new = {"file": "later", "curate": curate, "ingest": {"part_bytes": 4096}}
    alone = run_curation([{"text": text} for text in [*long, *some]], name="alone", **new)
    second = run_curation(
        [{"text": text} for text in [*long, *some]],
        name="0002",
        retrain={"earlier": [str(tmp_path / "0001")]},
        **new,
    )
    before = [*texts(first, "train").values(), *texts(alone, "test").values()]
    wanted = held(texts(first, "test"), texts(alone, "train", "validation"), before)
    assert 2 < len(wanted) < len(texts(alone, "train", "validation")) / 2, "some, not all"
    lines = second.ledger.to_pylist()
    assert {line["id"]: (line["evidence"], line["value"]) for line in lines} == {
        name: (f"0001/{test}", share) for name, (test, share) in wanted.items()
    }
    assert {(line["stage"], line["rule"], line["threshold"]) for line in lines} == {
        ("decontaminate", "earlier_test_text", 0.5)
    }
    kept = texts(second, "train", "validation", "test").keys()
    assert (
        kept
        == (texts(alone, "train", "validation", "test").keys() - wanted.keys())
        | texts(first, "train", "validation", "test").keys()
    )
    counts = second.manifest["rows"]
    assert counts["in"] == counts["kept"] + counts["dropped"] + counts["rejected"]
    summary = json.loads((second.root / "contamination/_manifest.json").read_text())["summary"]
    assert (summary["earlier"], summary["earlier_test"]) == (0, len(wanted))
    assert summary["test_rows"] == len(texts(alone, "test")), "the run's own"


def test_rows_as_they_are_cut_are_held_against_earlier_batches(run_curation: Curation, tmp_path: Path) -> None:
    """A notice stands between the words of each new row; an earlier row holds the same words in one piece."""
    words = [prose(seed, 42).split() for seed in range(40)]
    short = [f"\n\n{NOTICE}\n\n".join(" ".join(row[at : at + 14]) for at in (0, 14, 28)) for row in words]
    long = [f"{prose(1000 + seed, 30)} {' '.join(row)} {prose(2000 + seed, 30)}" for seed, row in enumerate(words)]
    curate = {**NO_RULES, **SPLIT, "dedup": {"substrings": {"action": "cut", "documents": 5, "length": 100}}}
    first = run_curation([{"text": text} for text in long], name="0001", file="earlier", curate=curate)
    again = {"retrain": {"earlier": [str(tmp_path / "0001")]}, "curate": curate}
    second = run_curation([{"text": text} for text in short], name="0002", file="later", **again)
    lines = second.ledger.to_pylist()
    dropped = {line["id"] for line in lines if line["rule"] == "earlier_text"}
    assert len(dropped) > 3
    whole = json.loads((second.root / "contamination/_manifest.json").read_text())["summary"]
    assert whole["earlier"] == whole["earlier_test"] == 0, "nothing is found before the cuts"
    old, kept = texts(first, "train", "validation", "test"), texts(second, "train", "validation", "test")
    tests = {name: text for name, text in texts(second, "test").items() if name not in old}
    assert len(tests) > 3
    assert held(tests, texts(first, "train"), list(kept.values())) == {}
    assert dropped.isdisjoint(kept)
    assert len(kept) == len(old) + len(short) - len({line["id"] for line in lines})
    counts = second.manifest["rows"]
    assert counts["in"] == counts["kept"] + counts["dropped"] + counts["rejected"]
