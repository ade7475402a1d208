"""Kill the main job anywhere, run it again: the same bytes, and the same loss bit for bit."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from tests.conftest import ROOT, TINY, FinishedRun, command

KILLS = 10
MARK = "CURATE_AND_TRAIN_TEST_RUN"
"""Environment variable that every process of a run inherits."""
FOLDERS = ("documents", "keys", "duplicates", "curated", "ledger", "tokens", "tokenizer", "packed", "evaluation")


def _bytes(root: Path) -> dict[str, bytes]:
    """File → content of everything that must not depend on how the run went."""
    files = [path for folder in FOLDERS for path in sorted((root / folder).rglob("*")) if path.is_file()]
    files += sorted((root / "checkpoints").rglob("model/*.safetensors"))
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def _losses(root: Path) -> list[tuple[int, float]]:
    lines = (root / "logs" / "train.jsonl").read_text().splitlines()
    return [(line["step"], line["loss"]) for line in map(json.loads, lines)]


def _start(root: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command("run", str(TINY), f"run={root}", f"promote.champion={root}-champion.json"),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env={**os.environ, MARK: str(root)},
    )


def _left_over(root: Path) -> list[str]:
    """Processes that the run started and that are still there: Dask workers, torchrun, ranks."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get(MARK) == str(root) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(" ".join(process.cmdline()))
    return found


@pytest.mark.timeout(2400)
def test_killed_ten_times_at_random_moments(tiny_run: FinishedRun, tmp_path: Path) -> None:
    """SIGKILL at ten random moments; every run that comes to its end ends with the bytes of an undisturbed one.

    A run that finishes before its kill is compared, and the next kills hit a new run directory, so that all ten hit a
    running process.
    """
    draw = random.Random()
    seed = draw.randrange(2**32)
    draw.seed(seed)
    print(f"seed {seed}")
    expected = _bytes(tiny_run.root)
    losses = _losses(tiny_run.root)
    assert len(expected) > 20
    assert len(losses) >= 10

    def compare(root: Path) -> None:
        assert _bytes(root).keys() == expected.keys()
        assert [name for name, content in _bytes(root).items() if content != expected[name]] == []
        assert _losses(root) == losses

    kills = runs = 0
    stages_hit = set()
    root = tmp_path / f"run-{runs}"
    while kills < KILLS:
        process = _start(root)
        try:
            # Short at times, so that a run is hit early; mostly long enough for the next stage to begin.
            output, _ = process.communicate(timeout=draw.uniform(0.05, 0.4) * tiny_run.seconds)
            assert process.returncode == 0, output
            compare(root)
            runs += 1
            root = tmp_path / f"run-{runs}"
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            kills += 1
            stages_hit.add(len(list(root.glob("*/_manifest.json"))))
            deadline = time.monotonic() + 60
            while _left_over(root) and time.monotonic() < deadline:
                time.sleep(0.1)
            assert _left_over(root) == [], "a rank or a worker outlived the killed run"
    assert len(stages_hit) >= 2, "the kills hit the run in different stages"
    process = _start(root)
    output, _ = process.communicate(timeout=900)
    assert process.returncode == 0, output
    compare(root)
