"""The batch script, linted, and run by bash with stand-ins for `srun` and `scontrol`: everything else is real."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.conftest import ROOT, TINY
from tests.flows.site import alive, children, free_port

pytestmark = pytest.mark.timeout(1800)

SCRIPT = ROOT / "examples" / "slurm" / "retrain.sbatch"
BIN = Path(sys.executable).parent

# Two nodes are two loopback addresses: the command of the step runs once for each, as SLURM would run it.
SRUN = """#!/usr/bin/env bash
while [[ $1 == --* ]]; do shift; done
trap 'kill $(jobs -p)' TERM
"$@" --host 127.0.0.2 &
"$@" --host 127.0.0.3 &
wait
"""
SCONTROL = """#!/usr/bin/env bash
echo "$@" >> "$SCONTROL_LOG"
"""


def test_bash_and_shellcheck_have_nothing_to_say() -> None:
    for words in (["bash", "-n"], [str(BIN / "shellcheck")]):
        done = subprocess.run([*words, str(SCRIPT)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_without_a_recipe_it_says_how_it_is_used() -> None:
    done = subprocess.run(["bash", str(SCRIPT)], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "usage: sbatch" in done.stderr


@pytest.fixture
def job(tmp_path: Path) -> dict[str, str]:
    """The environment of a job of two nodes."""
    for name, text in (("srun", SRUN), ("scontrol", SCONTROL)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    return {
        **os.environ,
        "PATH": f"{BIN}:{tmp_path}:{os.environ['PATH']}",
        "SCONTROL_LOG": str(tmp_path / "scontrol.log"),
        "DASK_HOST": "127.0.0.1",
        "DASK_PORT": str(free_port()),
        "SLURM_SUBMIT_DIR": str(ROOT),
        "SLURM_JOB_ID": "4711",
        "SLURM_JOB_NUM_NODES": "2",
        "SLURM_CPUS_PER_TASK": "1",
        "SLURM_GPUS_ON_NODE": "2",
    }


def test_a_job_curates_on_two_nodes_trains_is_preempted_and_goes_on(job: dict[str, str], tmp_path: Path) -> None:
    """SIGTERM while it trains: a checkpoint, exit code 75, a request to be queued again, nobody left."""
    run = tmp_path / "run"

    def start(steps: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            ["bash", str(SCRIPT), str(TINY), f"run={run}", f"train.steps={steps}", "evaluate.generate=1"],
            env=job,
            stdout=(tmp_path / "log").open("ab"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    script = start(100_000)
    try:
        journal, deadline = run / "logs" / "train.jsonl", time.monotonic() + 600
        while not journal.exists() or journal.read_text().count("\n") < 3:
            assert script.poll() is None, (tmp_path / "log").read_text()
            assert time.monotonic() < deadline, (tmp_path / "log").read_text()
            time.sleep(0.1)
        family = [psutil.Process(script.pid), *children(script.pid)]
        assert sum("-m pipeline.train " in " ".join(one.cmdline()) for one in family) >= 2, "one rank a GPU"
        script.send_signal(signal.SIGTERM)
        assert script.wait(60) == 75, (tmp_path / "log").read_text()
        _, left = psutil.wait_procs(family, timeout=30)
        assert alive(left) == []
    finally:
        if script.poll() is None:
            for one in [*children(script.pid), psutil.Process(script.pid)]:
                one.kill()
            script.wait()
    assert (tmp_path / "scontrol.log").read_text() == "requeue 4711\n"
    assert list(run.glob("checkpoints/step-*"))
