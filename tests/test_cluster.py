"""Clusters that the recipe only joins: schedulers and workers as processes of their own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from distributed import Client

from pipeline import cluster
from pipeline.config import Cluster
from pipeline.errors import MachineError, ProjectError, StageError
from pipeline.recipe import load_recipe
from pipeline.run import RunDirectory
from pipeline.stages import run_stage
from tests.conftest import TINY


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[str]:
    """The address of a scheduler process without workers."""
    file = tmp_path / "scheduler.json"
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0"]
    process = subprocess.Popen([*command, "--no-dashboard", "--scheduler-file", str(file)], cwd=tmp_path)
    try:
        with Client(scheduler_file=str(file), timeout=30) as client:
            address = client.scheduler.address
        yield address
    finally:
        process.terminate()
        process.wait(timeout=20)


def test_a_scheduler_without_workers_is_said(scheduler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "_PATIENCE", 1)
    with pytest.raises(MachineError, match="no worker for 1 s"), cluster.dask_client(Cluster(address=scheduler)):
        pass


def test_an_address_where_nobody_answers_is_said() -> None:
    nobody = Cluster(address="tcp://127.0.0.1:9")
    with pytest.raises(MachineError, match="no Dask scheduler answers"), cluster.dask_client(nobody):
        pass


def test_curation_on_workers_with_threads_and_another_working_directory(
    scheduler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same rows as on local workers, with a run directory that is relative to the command's folder."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    command = [sys.executable, "-m", "distributed.cli.dask_worker", scheduler, "--nthreads", "2", "--no-dashboard"]
    worker = subprocess.Popen([*command, "--local-directory", str(elsewhere)], cwd=elsewhere)
    try:
        contents = []
        for name, address in (("joined", scheduler), ("local", None)):
            recipe = load_recipe(
                TINY, [f"run={name}", f"cluster.address={address or 'null'}", "ingest.part_bytes=16384"]
            )
            notes = Path(recipe.sources[1].path or "").absolute()
            source = recipe.sources[1].model_copy(update={"path": str(notes)})
            recipe = recipe.model_copy(update={"sources": [recipe.sources[0], source]})
            with monkeypatch.context() as here:
                here.chdir(tmp_path)
                contents.append(run_stage("curate", RunDirectory.open(recipe), recipe).content)
        assert contents[0] == contents[1]
        assert list(elsewhere.glob("joined*")) == []
    finally:
        worker.terminate()
        worker.wait(timeout=20)


def _fails(number: int) -> int:
    if number == 3:
        raise ValueError("three")
    return number


def _refuses(number: int) -> int:
    raise MachineError("no such thing", mend="none")


def test_results_come_in_order_and_failures_are_named() -> None:
    with cluster.dask_client(Cluster(workers=1)) as client:
        assert cluster.run_parts(client, abs, [-3, -1, -2, -5], stage="s") == [3, 1, 2, 5]
        with pytest.raises(StageError, match="s: part 3 failed: ValueError: three"):
            cluster.run_parts(client, _fails, range(5), stage="s")
        with pytest.raises(ProjectError, match="no such thing"):
            cluster.run_parts(client, _refuses, range(2), stage="s")
