"""The benchmark for a GPU runs on any machine, so that it works where there is one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks/gpu_training.py"


def test_our_contender_trains_and_measures(tmp_path: Path) -> None:
    options = [
        "--tiny",
        "--seq-length",
        "64",
        "--steps",
        "4",
        "--size",
        "tiny",
        "--method",
        "lora",
        "--contender",
        "ours",
    ]
    # Not from the checkout's folder: the script finds it by itself.
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *options], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["slots"] > told["tokens"] > told["targets"] > 0
    assert told["mfu"] is None  # nobody states the peak of a CPU
