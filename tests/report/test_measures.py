"""What a real evaluation measured, as the page shows it: in all, by source and by kind, with intervals and controls."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch

from pipeline.config import Recipe
from pipeline.evaluate.measure import measure_run
from pipeline.evaluate.stage import finish, plan
from pipeline.promote import promote
from pipeline.report import report
from pipeline.report.measures import CONTENDERS, Measured, read_measures
from pipeline.run import RunDirectory
from tests.evaluate.runs import default_rows, make_run, pair, row
from tests.report.test_page import Page

SOURCES = [
    {"name": "sums", "kind": "pair", "format": "completion", "path": "sums.jsonl"},
    {"name": "faq", "kind": "pair", "format": "completion", "path": "faq.jsonl"},
    {"name": "prose", "kind": "text", "format": "text", "path": "prose.jsonl"},
]


def rows() -> dict[str, list[dict[str, Any]]]:
    made = default_rows()
    made["test"] += [_of("faq", pair(n, f"How much is {n} and {n}?", f"It is #### {2 * n}")) for n in range(900, 904)]
    made["test"] += [_of("prose", row(n, "text", [("text", f"The {n} lamps are red and green.")])) for n in range(3)]
    return made


def _of(source: str, one: dict[str, Any]) -> dict[str, Any]:
    return {**one, "id": one["id"].replace("sums/", f"{source}/"), "source": source}


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunDirectory, Recipe]:
    """A run that is evaluated against a champion: a twin of it with other weights."""
    root = tmp_path_factory.mktemp("measured")
    changes: dict[str, Any] = {
        "sources": SOURCES,
        "evaluate": {"generate": 12},
        "promote": {"guards": {"bits_per_byte@faq": 0.01}, "min_rows": 2},
    }
    for name, seed in (("first", 7), ("second", 1)):
        run, recipe = make_run(root / name, rows(), seed=seed, **changes)
        stage = plan(run, recipe)
        assert stage is not None
        stage.begin()
        measure_run(stage, run, recipe, torch.device("cpu"))
        finish(stage, run, recipe)
        promote(run, recipe)
    return run, recipe


def find(measures: list[Measured] | None, split: str, metric: str, part: str | None = None) -> Measured:
    (one,) = [one for one in measures or () if (one.split, one.metric, one.part) == (split, metric, part)]
    return one


def test_every_number_is_that_of_the_files(measured: tuple[RunDirectory, Recipe]) -> None:
    run, _ = measured
    measures = read_measures(*measured)
    metrics = json.loads(run.path("evaluation/metrics.json").read_text())
    details = json.loads(run.path("evaluation/details.json").read_text())
    whole = [one for one in measures or () if one.part is None]
    assert {(one.split, one.metric) for one in whole} == {(split, name) for split in metrics for name in metrics[split]}
    for one in measures or ():
        key = one.metric if one.part is None else f"{one.metric}@{one.part}"
        for name in CONTENDERS:
            column = one.columns[name]
            if one.part is None:
                assert column["value"] == metrics[one.split][one.metric][name]
            if one.metric != "perplexity":
                known = details[one.split][key][name]
                assert dict(column) == {which: known[which] for which in ("value", "low", "high")}
            if column["low"] is not None:
                assert column["low"] <= column["value"] <= column["high"]


def test_parts_are_told_by_source_and_kind_and_add_up(measured: tuple[RunDirectory, Recipe]) -> None:
    measures = read_measures(*measured)
    parts = {one.part: one for one in measures or () if one.split == "test" and one.metric == "loss" and one.part}
    assert {part: (one.of, one.rows) for part, one in parts.items()} == {
        "sums": ("source", 8),
        "faq": ("source", 4),
        "prose": ("source", 3),
        "pair": ("kind", 12),
        "text": ("kind", 3),
    }
    assert find(measures, "test", "loss").rows == 15
    assert not [one for one in measures or () if one.split == "validation" and one.part], "one source, one kind"
    numeric = find(measures, "test", "numeric")
    assert (numeric.rows, numeric.better) == (4, "higher"), "a measure has the rows of its task only"
    assert find(measures, "test", "loss").better == "lower"


def test_controls_and_the_perplexity_s_interval(measured: tuple[RunDirectory, Recipe]) -> None:
    measures = read_measures(*measured)
    exact = find(measures, "test", "exact_match")
    assert exact.copies == 1.0
    assert exact.shuffled is not None
    assert exact.shuffled < 1.0
    assert find(measures, "test", "loss").copies is None
    loss, perplexity = (find(measures, "test", name).columns["after"] for name in ("loss", "perplexity"))
    for key in ("value", "low", "high"):
        bound = loss[key]
        assert bound is not None
        assert perplexity[key] == pytest.approx(2.718281828459045**bound)


def test_the_page_shows_them(measured: tuple[RunDirectory, Recipe]) -> None:
    text = " ".join(Page(report(*measured).read_text(encoding="utf-8")).text.split())
    measures = read_measures(*measured)
    for metric, part in (("loss", None), ("loss", "faq"), ("numeric", None)):
        one = find(measures, "test", metric, part)
        shown = one.columns["after"]
        assert f"{shown['value']:,.4f}".rstrip("0").rstrip(".") in text
        if one.metric == "loss":
            assert f"{shown['low']:,.4f} – {shown['high']:,.4f}" in text
    assert "source faq" in text
    assert "kind text" in text
    assert "bits_per_byte@faq" in text, "the gate's guard"
