"""A whole small run: rows, ledger, bins, a training log, an evaluation and a decision."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from pipeline.config import Recipe
from pipeline.evaluate.scores import ANSWERS
from pipeline.evaluate.stage import plan
from pipeline.promote import promote
from pipeline.run import RunDirectory
from tests.evaluate.runs import make_run, write_table

Made = tuple[RunDirectory, Recipe]

ATTACK = "<script>alert('&\"')</script>"

ADDRESS = "pat.doe@northwind.org"
"""Personal data that the recipe left in the rows, or that the model made up."""


def line(number: int, stage: str, rule: str, **values: Any) -> dict[str, Any]:
    """A line of the ledger."""
    blank = {"value": None, "threshold": None, "evidence": None}
    return {"id": f"sums/sums.jsonl#{number}", "source": "sums", "stage": stage, "rule": rule, **blank, **values}


LEDGER = [
    line(1000, "ingest", "malformed_json", evidence="sums.jsonl, line 1001"),
    line(1001, "ingest", "missing_key", evidence=f"no key {ATTACK}"),
    line(1002, "clean", "empty"),
    *[line(1010 + n, "filter", "word_count", value=float(n), threshold=5.0) for n in range(7)],
    line(1010, "filter", "url_share", value=0.9, threshold=0.2),  # a row that failed two rules
    line(1020, "exact", "duplicate", value=1.0, threshold=1.0, evidence="sums/sums.jsonl#3"),
    line(1021, "fuzzy", "duplicate", value=0.91, threshold=0.8, evidence="sums/sums.jsonl#4"),
]


def write_log(run: RunDirectory) -> None:
    entries = [
        {"step": step, "loss": 5.0 / step, "lr": 1e-3 / step, "grad_norm": 1.0 + step, "tokens": 100}
        for step in (1, 2, 3, 4)
    ]
    run.logs.mkdir(exist_ok=True)
    text = "".join(json.dumps(entry) + "\n" for entry in entries)
    (run.logs / "train.jsonl").write_text(text + '{"step": 5, "lo')  # a line that a killed run left


def write_evaluation(run: RunDirectory, recipe: Recipe) -> None:
    """Write `evaluation/` as the stage does."""
    stage = plan(run, recipe)
    assert stage is not None
    stage.begin()
    losses = {
        "loss": {"before": 5.8123, "after": 2.3456, "champion": None},
        "perplexity": {"before": 334.4, "after": 10.44, "champion": None},
        "bits_per_byte": {"before": 4.1, "after": 1.7, "champion": None},
    }
    scores = {name: {"before": 0.0, "after": 0.25, "champion": None} for name in ("exact_match", "rouge_l", "parses")}
    metrics = {"validation": losses, "test": {**losses, **scores}}
    run.path("evaluation/metrics.json").write_text(json.dumps(metrics))
    details = {
        split: {
            name: {
                when: {"value": value, "low": value - 0.25, "high": value + 0.25, "rows": rows}
                for when, value in values.items()
                if value is not None
            }
            for name, values in named.items()
            if name != "perplexity"
        }
        for (split, named), rows in zip(metrics.items(), (6, 8), strict=True)
    }
    run.path("evaluation/details.json").write_text(json.dumps(details))
    predictions = [
        {
            "id": f"sums/sums.jsonl#{200 + n}",
            "prompt": f"prompt {n} of {ADDRESS}",
            "reference": f"reference {n} {'of this ' * 72}{ADDRESS}",  # across the place where it is cut
            "prediction": f"prediction {n} {ATTACK} {ADDRESS}",
            "scores": [("exact_match", float(n == 0)), ("rouge_l", 0.5)],
        }
        for n in range(20)
    ]
    write_table(run.path("evaluation/predictions.parquet"), predictions, ANSWERS)
    names = {f"evaluation/{name}": 0 for name in ("metrics.json", "details.json")}
    stage.commit("evaluation", {**names, "evaluation/predictions.parquet": 20}, {})
    stage.finish(summary={"metrics": metrics, "notes": [f"a note with {ATTACK}"]})


@pytest.fixture(scope="session")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make_run(tmp_path_factory.mktemp("report") / "runs/one", ledger=LEDGER)


@pytest.fixture
def whole(packed: Made, tmp_path: Path) -> Made:
    """A finished run, a copy of its own for each test."""
    shutil.copytree(packed[0].root, tmp_path / "runs/one")
    run = RunDirectory(tmp_path / "runs/one")
    recipe = packed[1].model_copy(update={"run": str(run.root)})
    write_log(run)
    write_evaluation(run, recipe)
    promote(run, recipe)
    return run, recipe
