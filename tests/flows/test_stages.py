"""What is retried, what a run shows, and where it runs; no server needed."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from prefect.states import Failed

from flows.artifacts import summary
from flows.checkout import enter_checkout
from flows.curate_and_train import curate_and_train
from flows.single import curate, evaluate, pack, promote, train
from flows.stages import can_heal, run_stage
from pipeline.atomic import write_json
from pipeline.errors import InputError, MachineError, Preempted, RecipeError, RunDirectoryError, StageError
from pipeline.failures import explained
from pipeline.run import RunDirectory
from tests.conftest import ROOT


def heals(error: BaseException) -> bool:
    return can_heal(run_stage, None, Failed(data=error))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "error",
    [
        Preempted("stopped by SIGTERM"),
        OSError(errno.EIO, "Input/output error"),
        OSError(errno.ESTALE, "Stale file handle"),
        ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"),
    ],
)
def test_what_may_pass_is_tried_again(error: BaseException) -> None:
    assert heals(error)


@pytest.mark.parametrize(
    "error",
    [
        RecipeError("wrong"),
        InputError("wrong"),
        RunDirectoryError("wrong"),
        MachineError("the disk is full"),
        StageError("the loss is not finite"),
        FileNotFoundError(errno.ENOENT, "No such file"),
        PermissionError(errno.EACCES, "Permission denied"),
        ValueError("a defect"),
    ],
)
def test_what_cannot_heal_is_not(error: BaseException) -> None:
    assert not heals(error)


def test_a_passing_failure_inside_a_stage_is_tried_again(tmp_path: Path) -> None:
    with pytest.raises(StageError) as caught, explained(RunDirectory(tmp_path), "curate"):
        raise OSError(errno.EIO, "Input/output error")
    assert heals(caught.value)
    with pytest.raises(MachineError) as full, explained(RunDirectory(tmp_path), "curate"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert not heals(full.value)


def test_every_flow_has_the_same_flat_parameters() -> None:
    flows = (curate_and_train, curate, pack, train, evaluate, promote)
    assert [flow.name for flow in flows] == ["curate-and-train", "curate", "pack", "train", "evaluate", "promote"]
    for flow in flows:
        assert list(flow.parameters.properties) == ["recipe", "overrides"]
        assert not flow.parameters.required
        assert flow.retries == 0


def test_a_flow_runs_in_the_checkout_wherever_the_worker_was_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert enter_checkout() == {"directory": str(ROOT)}
    assert Path(os.getcwd()) == ROOT


def test_the_summary_shows_where_rows_went_and_what_was_measured(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    metrics = {"test": {"loss": {"before": 6.5, "after": 3.25, "champion": None}}}
    write_json(run.path("evaluation") / "metrics.json", metrics)
    rows = {"in": 1200, "kept": 1000, "dropped": 190, "rejected": 10}
    done = [{"stage": "curate", "rows": rows}, {"stage": "evaluate", "rows": None}]
    shown = summary(run, done)
    assert "| curate | 1,200 | 1,000 | 190 | 10 |" in shown
    assert "| evaluate |  |  |  |  |" in shown
    assert "| test | loss | 6.5 | 3.25 |  |" in shown
    assert "| test |" not in summary(run, done[:1])  # the metrics of an older evaluation are not this run's
