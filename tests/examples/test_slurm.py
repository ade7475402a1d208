"""The batch script, linted, and run by bash with stand-ins for `srun` and `scontrol`: everything else is real."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.conftest import ROOT, TINY
from tests.flows.site import free_port
from tests.processes import children, command, kill, left

pytestmark = pytest.mark.timeout(1800)

FOLDER = ROOT / "examples" / "slurm"
SCRIPT = FOLDER / "retrain.sbatch"
STEPS = 400
"""Seconds of training: enough to be interrupted in, few enough to be finished."""
SMALL = [
    *("pack.seq_length=128", "train.model.config.hidden_size=32", "train.model.config.num_hidden_layers=1"),
    *("train.model.config.intermediate_size=32", "train.global_batch=2"),
    *(f"train.steps={STEPS}", f"train.checkpoint_every={STEPS}", "evaluate.generate=1", "evaluate.max_new_tokens=4"),
]
"""Nothing here is about the model: steps of milliseconds, and no checkpoint but that of being stopped."""
BIN = Path(sys.executable).parent

# Two nodes are two loopback addresses: a step's command runs once for each, as SLURM would run it, and ends with the
# highest code.
SRUN = """#!/usr/bin/env bash
while [[ $1 == --* ]]; do shift; done
tasks=()
interrupted=0
trap 'interrupted=1; kill "${tasks[@]}" 2>/dev/null' TERM
for node in 0 1; do
  here=()
  [[ $1 != dask ]] || here=(--host "127.0.0.$((node + 2))")
  SLURM_NODEID=$node "$@" "${here[@]}" &
  tasks+=($!)
done
highest=0
for task in "${tasks[@]}"; do
  wait "$task"; code=$?
  [[ $interrupted == 0 ]] || { wait "$task"; code=$?; }
  (( code <= highest )) || highest=$code
done
exit "$highest"
"""
SCONTROL = """#!/usr/bin/env bash
echo "$@" >> "$SCONTROL_LOG"
"""


def test_bash_and_shellcheck_have_nothing_to_say() -> None:
    scripts = [str(path) for path in sorted(FOLDER.glob("*.sbatch"))]
    assert len(scripts) == 2
    for words in (["bash", "-n", scripts[0]], ["bash", "-n", scripts[1]], [str(BIN / "shellcheck"), *scripts]):
        done = subprocess.run(words, capture_output=True, text=True, check=False)
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
        "HEAD_HOST": "127.0.0.1",
        "DASK_PORT": str(free_port()),
        "TRAIN_PORT": str(free_port()),
        "SLURM_SUBMIT_DIR": str(ROOT),
        "SLURM_JOB_ID": "4711",
        "SLURM_JOB_NUM_NODES": "2",
        "SLURM_CPUS_PER_TASK": "1",
        "SLURM_GPUS_ON_NODE": "1",
    }


class Job:
    """The script as `sbatch` would run it: no more than its environment and a signal come from outside."""

    def __init__(self, environment: dict[str, str], folder: Path) -> None:
        self.run, self.log = folder / "run", folder / "log"
        words = [f"run={self.run}", *SMALL]
        self.script = subprocess.Popen(
            ["bash", str(SCRIPT), str(TINY), *words],
            env=environment,
            stdout=self.log.open("ab"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def steps(self) -> list[int]:
        journal = self.run / "logs" / "train.jsonl"
        lines = journal.read_text().splitlines() if journal.exists() else []
        return [json.loads(line)["step"] for line in lines if line.endswith("}")]

    def ended(self, timeout: float = 900) -> int:
        """Its exit code; nobody that it started is left."""
        family = [psutil.Process(self.script.pid), *children(self.script.pid)]
        try:
            code = self.script.wait(timeout)
            assert left(family, within=30) == []
            return code
        finally:
            self.kill()

    def kill(self) -> None:
        if self.script.poll() is None:
            kill([*children(self.script.pid), psutil.Process(self.script.pid)])
            self.script.wait()


def test_a_job_curates_and_trains_on_two_nodes_is_preempted_and_goes_on(job: dict[str, str], tmp_path: Path) -> None:
    """SIGTERM while it trains: a checkpoint, exit code 75, a request to be queued again, nobody left; then the end."""
    first = Job(job, tmp_path)
    try:
        deadline = time.monotonic() + 900
        while len(first.steps()) < 3:
            assert first.script.poll() is None, first.log.read_text()
            assert time.monotonic() < deadline, first.log.read_text()
            time.sleep(0.05)
        commands = [command(one) for one in children(first.script.pid)]
        for node in (0, 1):
            (agent,) = [
                words for words in commands if "pipeline.train.agent" in words and f"--node-rank={node}" in words
            ]
            assert f"--nnodes=2 --node-rank={node}" in agent
            assert f"--rdzv-endpoint=127.0.0.1:{job['TRAIN_PORT']}" in agent
        assert not [words for words in commands if "dask" in words], "its memory is training's now"
        first.script.send_signal(signal.SIGTERM)
        assert first.ended(120) == 75, first.log.read_text()
    finally:
        first.kill()
    assert (tmp_path / "scontrol.log").read_text() == "requeue 4711\n"
    stopped = max(first.steps())
    assert 3 <= stopped < STEPS
    assert list(first.run.glob("checkpoints/step-*/state.json"))

    again = Job(job, tmp_path)
    assert again.ended() == 0, again.log.read_text()
    assert again.steps() == list(range(1, STEPS + 1)), "each step once: the second job went on where the first was"
    assert (again.run / "report.html").exists()
    assert (tmp_path / "scontrol.log").read_text() == "requeue 4711\n"
