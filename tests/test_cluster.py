"""Clusters that the recipe only joins: schedulers and workers as processes of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dask
import psutil
import pytest
from distributed import Client

from pipeline import cluster
from pipeline.config import Cluster
from pipeline.errors import MachineError, ProjectError, StageError
from pipeline.recipe import load_recipe
from pipeline.run import RunDirectory
from pipeline.stages import run_stage
from tests.conftest import ROOT, TINY, command, run_command


@pytest.fixture
def scheduler(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a scheduler process without workers; its parameter is how long a worker may be silent."""
    monkeypatch.setenv("DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL", getattr(request, "param", "5 minutes"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))  # its workers know this file's functions
    file = tmp_path / "scheduler.json"
    start = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0"]
    process = subprocess.Popen([*start, "--no-dashboard", "--scheduler-file", str(file)], cwd=tmp_path)
    try:
        with Client(scheduler_file=str(file), timeout=120) as client:
            address = client.scheduler.address
        yield address
    finally:
        process.terminate()
        process.wait(timeout=60)


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
    start = [sys.executable, "-m", "distributed.cli.dask_worker", scheduler, "--nthreads", "2", "--no-dashboard"]
    worker = subprocess.Popen([*start, "--local-directory", str(elsewhere)], cwd=elsewhere)
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
        worker.wait(timeout=60)


@contextmanager
def worker_at(scheduler: str, host: str, folder: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """A worker process at an address of its own."""
    start = [sys.executable, "-m", "distributed.cli.dask_worker", scheduler, "--host", host, "--nthreads", "1"]
    process = subprocess.Popen([*start, "--no-dashboard", "--no-nanny", "--local-directory", str(folder), *options])
    try:
        yield process
    finally:
        process.kill()
        process.wait(timeout=60)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Curation by this machine's own workers."""
    root = tmp_path_factory.mktemp("undisturbed") / "run"
    done = run_command(["curate", str(TINY), f"run={root}"])
    assert done.returncode == 0, done.stderr
    return root


@pytest.mark.parametrize(
    ("how", "scheduler"),
    [(signal.SIGKILL, "5 minutes"), (signal.SIGSTOP, "20 seconds")],
    ids=["killed", "hung"],
    indirect=["scheduler"],
)
def test_a_run_over_two_addresses_survives_one_of_them(
    how: signal.Signals, scheduler: str, tmp_path: Path, undisturbed: Path
) -> None:
    """The scheduler at one address, a worker at each of two others, by `cluster.address`; one is lost on the way.

    The parts it had are done by the other one, and the run ends with the bytes of an undisturbed one.
    """
    root = tmp_path / "run"
    with (
        worker_at(scheduler, "127.0.0.2", tmp_path) as lost,
        worker_at(scheduler, "127.0.0.3", tmp_path),
        Client(scheduler, timeout=120) as client,
    ):
        client.wait_for_workers(2, timeout=120)
        hosts = {worker["host"] for worker in client.scheduler_info()["workers"].values()}
        assert hosts == {"127.0.0.2", "127.0.0.3"}
        run = subprocess.Popen(
            command("curate", str(TINY), f"run={root}", f"cluster.address={scheduler}"),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        deadline = time.monotonic() + 400
        while not list(root.glob("documents/part-*.parquet")):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        lost.send_signal(how)
        output, _ = run.communicate(timeout=600)
    assert run.returncode == 0, output.decode()
    for folder in ("documents", "keys", "curated", "ledger"):
        found = {path.relative_to(root): path.read_bytes() for path in (root / folder).rglob("*.*") if path.is_file()}
        assert found
        assert [path for path, content in found.items() if content != (undisturbed / path).read_bytes()] == []


def _waits(seconds: float) -> None:
    time.sleep(seconds)


def test_a_cluster_that_has_lost_its_last_worker_is_said(
    scheduler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with worker_at(scheduler, "127.0.0.2", tmp_path) as only, cluster.dask_client(Cluster(address=scheduler)) as client:
        monkeypatch.setattr(cluster, "_PATIENCE", 2)
        threading.Timer(1, only.kill).start()
        with pytest.raises(MachineError, match="s: the Dask scheduler has had no worker for 2 s"):
            cluster.run_parts(client, _waits, [60, 60], stage="s")


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


def test_what_dask_sets_for_its_workers_is_not_left_for_later_stages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("MKL_NUM_THREADS", "3")
    before = dict(os.environ)
    with cluster.dask_client(Cluster(workers=1)) as client:
        assert client.submit(os.environ.get, "OMP_NUM_THREADS").result() == "1"
        assert client.submit(os.environ.get, "MALLOC_ARENA_MAX").result() == "1"
    assert {name: value for name, value in os.environ.items() if "DASK" not in name} == {
        name: value for name, value in before.items() if "DASK" not in name
    }


def test_workers_that_start_too_slowly_are_said() -> None:
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "1us"}),
        pytest.raises(MachineError, match=r"the local Dask workers did not start: .*Timed out"),
        cluster.dask_client(Cluster(workers=1)),
    ):
        pass


def test_a_worker_that_dies_slowly_does_not_fail_the_end_of_its_cluster() -> None:
    with cluster.dask_client(Cluster(workers=1)) as client:
        worker = client.submit(os.getpid).result()
        os.kill(worker, signal.SIGSTOP)  # it answers nobody; no time is left between SIGKILL and its end
        client.cluster.sync(client.cluster.workers[0].kill, timeout=0)
    assert not psutil.pid_exists(worker)
