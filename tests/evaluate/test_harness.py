"""lm-evaluation-harness on a trained model, with a task of its own in YAML and rows on disk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.config import Recipe
from pipeline.errors import InputError, RunDirectoryError
from pipeline.evaluate.harness import run_harness
from pipeline.run import RunDirectory

pytest.importorskip("lm_eval", reason="the extra `harness` is not installed")

TASK = """\
task: sums_local
dataset_path: json
dataset_kwargs: {{data_files: {{test: {file}}}}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{question}}}}"
doc_to_target: label
doc_to_choice: "{{{{choices}}}}"
metric_list: [{{metric: acc, aggregation: mean, higher_is_better: true}}]
"""


@pytest.fixture
def tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    rows = [{"question": f"{n} + 1 =", "choices": [f" {n}", f" {n + 1}"], "label": 1} for n in range(6)]
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks/sums.yaml").write_text(TASK.format(file=file))
    return tmp_path / "tasks"


def test_a_local_task_gives_a_number_between_0_and_1_and_the_same_again(run: RunDirectory, tasks: Path) -> None:
    results = run_harness(run, ["sums_local"], include=tasks, limit=5)
    value = results["sums_local"]["acc,none"]
    assert value in {n / 5 for n in range(6)}
    written = json.loads(run.path("harness/results.json").read_text())
    assert written["results"] == results
    assert run_harness(run, ["sums_local"], include=tasks, limit=5) == results


def test_what_is_not_there_is_said(run: RunDirectory, recipe: Recipe, tasks: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no task 'sums_locl' \(did you mean 'sums_local'\?\)"):
        run_harness(run, ["sums_locl"], include=tasks)
    with pytest.raises(InputError, match="no folder of tasks"):
        run_harness(run, ["sums_local"], include=tmp_path / "none")
    (tasks.parent / "rows.jsonl").unlink()
    with pytest.raises(InputError, match="cannot run it"):
        run_harness(run, ["sums_local"], include=tasks)
    with pytest.raises(RunDirectoryError, match="no trained model"):
        run_harness(RunDirectory(tmp_path / "empty"), ["sums_local"], include=tasks)
