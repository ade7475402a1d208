"""What is retried, what a run shows, and where it runs; no server needed."""

from __future__ import annotations

import errno
import os
import socketserver
import threading
from http.server import SimpleHTTPRequestHandler
from pathlib import Path

import pytest
from docker.types import DeviceRequest
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_CLIENT_MAX_RETRIES,
    PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
    temporary_settings,
)
from prefect.states import Failed

from flows.artifacts import metrics_table
from flows.checkout import enter_checkout
from flows.curate_and_train import curate_and_train
from flows.health import main as health
from flows.prepare import silent_for, variables
from flows.progress import progress_shown
from flows.retrain import retrain
from flows.single import curate, evaluate, pack, promote, train
from flows.stages import can_heal, read_recipe, run_stage
from pipeline.errors import InputError, MachineError, Preempted, RecipeError, RunDirectoryError, StageError
from pipeline.failures import explained
from pipeline.recipe import load_recipe
from pipeline.run import RunDirectory
from tests.conftest import ROOT, TINY


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


def test_what_cannot_be_packed_is_told_before_anything_runs(tmp_path: Path) -> None:
    rows = tmp_path / "triples.jsonl"
    rows.write_text('{"query": "What?", "pos_doc": ["This."], "neg_doc": ["That."]}\n')
    changes = ["sources=[{name: triples, kind: retrieval, format: retrieval, path: " + f"{rows}" + "}]"]
    assert read_recipe(str(TINY), changes, packs=False).sources[0].kind == "retrieval"
    with pytest.raises(InputError, match="source triples: rows of kind retrieval"):
        read_recipe(str(TINY), changes, packs=True)


def test_every_flow_has_the_same_flat_parameters() -> None:
    flows = (curate_and_train, retrain, curate, pack, train, evaluate, promote)
    names = ["curate-and-train", "curate-and-train", "curate", "pack", "train", "evaluate", "promote"]
    assert [flow.name for flow in flows] == names
    for flow in flows:
        assert list(flow.parameters.properties) == ["recipe", "overrides"]
        assert not flow.parameters.required
        assert all(field["description"] for field in flow.parameters.properties.values())
        assert flow.retries == 0


def test_a_flow_runs_in_the_checkout_wherever_the_worker_was_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert enter_checkout() == {"directory": str(ROOT)}
    assert Path(os.getcwd()) == ROOT


def test_a_run_that_has_measured_nothing_has_no_metrics(tmp_path: Path) -> None:
    assert metrics_table(RunDirectory(tmp_path), load_recipe(TINY)) == []


@pytest.mark.parametrize("server", ["http://127.0.0.1:9/api", "not an address"])
def test_a_server_that_is_away_holds_no_stage_up(server: str) -> None:
    with temporary_settings({PREFECT_API_URL: server, PREFECT_CLIENT_MAX_RETRIES: 0}), progress_shown("curate"):
        stage = "ran"
    assert stage == "ran"


def test_containers_ask_for_gpus_only_when_told_to() -> None:
    assert variables(gpu=False) == {"training_image": "curate-and-train:cpu", "training_devices": []}
    with_gpu = variables(gpu=True)
    assert with_gpu["training_image"] == "curate-and-train:gpu"
    assert [DeviceRequest(**device)["Capabilities"] for device in with_gpu["training_devices"]] == [[["gpu"]]]


def test_a_run_is_given_up_after_three_missed_heartbeats() -> None:
    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: 30}):
        assert silent_for().total_seconds() == 90


def test_health_is_the_address_s_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    assert health([]) == 0  # a run by hand has no server
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    assert health([]) == 1
    with socketserver.TCPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler) as server:
        threading.Thread(target=server.handle_request).start()
        assert health([f"http://127.0.0.1:{server.server_address[1]}/"]) == 0
