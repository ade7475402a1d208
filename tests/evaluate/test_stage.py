"""Properties: measured in a process of its own, reused while nothing changed, told apart from what another needs."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from pipeline.config import CustomMetric, Recipe
from pipeline.errors import InputError, RunDirectoryError
from pipeline.evaluate import evaluate, plan
from pipeline.evaluate.measure import measure_run
from pipeline.evaluate.stage import finish
from pipeline.run import RunDirectory
from tests.evaluate.runs import make_recipe, write_checkpoint


def test_two_ranks_measure_once_what_one_process_does_and_it_is_reused(
    run: RunDirectory, recipe: Recipe, tmp_path: Path
) -> None:
    """Under torchrun. A measure of one's own leaves a file for each rank that loads it: there really are two."""
    (tmp_path / "mine.py").write_text(
        "import os, pathlib\n"
        "name = 'rank-{RANK}-{WORLD_SIZE}'.format_map({'RANK': 0, 'WORLD_SIZE': 1, **os.environ})\n"
        "pathlib.Path(__file__).with_name(name).touch()\n"
        "def length(prediction, reference, row):\n    return len(prediction)\n"
    )
    mine = {"length": CustomMetric(target=f"{tmp_path}/mine.py:length")}
    section = recipe.evaluate.model_copy(update={"nproc": 2, "metrics": mine})
    recipe = recipe.model_copy(update={"evaluate": section})
    run = RunDirectory.open(recipe)
    manifest = evaluate(run, recipe)
    assert {path.name for path in tmp_path.glob("rank-*")} == {"rank-0-2", "rank-1-2"}
    assert manifest.summary["metrics"] == json.loads(run.path("evaluation/metrics.json").read_text())
    assert manifest.summary["controls"]["copies"]["exact_match"] == 1.0
    log = run.logs / "evaluate.log"
    events = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    assert sum(event["add"] for event in events) == events[-1]["total"] > 0
    log.unlink()
    assert evaluate(run, recipe) == manifest
    assert not log.exists()  # no process was started

    names = ("metrics.json", "details.json", "scores.parquet", "predictions.parquet")
    shared = {name: run.path(f"evaluation/{name}").read_bytes() for name in names}
    shutil.rmtree(run.path("evaluation"))
    alone = plan(run, recipe)
    assert alone is not None
    alone.begin()
    measure_run(alone, run, recipe, torch.device("cpu"))
    assert finish(alone, run, recipe).content == manifest.content
    assert {name: run.path(f"evaluation/{name}").read_bytes() for name in names} == shared


def test_another_model_or_another_question_is_measured_again(run: RunDirectory, recipe: Recipe) -> None:
    stage = plan(run, recipe)
    assert stage is not None
    stage.begin()
    measure_run(stage, run, recipe, torch.device("cpu"))
    finish(stage, run, recipe)
    stage = plan(run, recipe)
    assert stage is not None
    assert stage.why() is None
    write_checkpoint(run, recipe, seed=9)
    stage = plan(run, recipe)
    assert stage is not None
    assert "inputs.model" in str(stage.why())
    changed = recipe.model_copy(update={"evaluate": recipe.evaluate.model_copy(update={"max_new_tokens": 3})})
    stage = plan(run, changed)
    assert stage is not None
    assert "max_new_tokens" in str(stage.why())


def test_an_error_of_the_process_comes_back_as_it_is(run: RunDirectory, recipe: Recipe) -> None:
    run = RunDirectory.open(recipe)
    next(run.path("checkpoints").rglob("model.safetensors")).unlink()
    with pytest.raises(InputError) as error:
        evaluate(run, recipe)
    assert error.value.mend
    assert not run.path("evaluation/_manifest.json").exists()


def test_before_training_there_is_no_plan(tmp_path: Path) -> None:
    recipe = make_recipe(tmp_path / "run")
    run = RunDirectory.open(recipe)
    assert plan(run, recipe) is None
    with pytest.raises(RunDirectoryError, match="no trained model"):
        evaluate(run, recipe)


def test_the_command_s_process_loads_no_torch() -> None:
    code = (
        "import sys, pipeline.evaluate, pipeline.promote, pipeline.report;"
        "sys.exit(' '.join(sorted({'torch', 'transformers', 'torchmetrics', 'dask'} & set(sys.modules))) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
