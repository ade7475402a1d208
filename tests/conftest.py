"""The tiny recipe, run once for all tests that look at a finished run."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TINY = ROOT / "data" / "tiny.yaml"

# Of the tests, and of all that they start: torch's threads that wait for each other on busy cores make a step of
# milliseconds one of seconds.
os.environ["OMP_NUM_THREADS"] = "1"


def pytest_sessionstart(session: pytest.Session) -> None:
    """Compile the kernels once, on all cores, before the workers of the tests start to do it one by one."""
    if not hasattr(session.config, "workerinput"):
        from pipeline.curate.compilation import ensure_compiled

        ensure_compiled()


def command(*arguments: str) -> list[str]:
    """The `curate-and-train` of the environment that runs the tests."""
    return [str(Path(sys.executable).with_name("curate-and-train")), *arguments]


def run_command(arguments: Sequence[str], *, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    """Run it in the clone, as a user would, and return what it printed."""
    return subprocess.run(
        command(*arguments),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**os.environ, "COLUMNS": "120"},
        check=False,
    )


class FinishedRun:
    """A finished run of the tiny recipe, what it printed and how long it took."""

    def __init__(self, root: Path, output: str, seconds: float) -> None:
        self.root = root
        self.output = output
        self.seconds = seconds


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    """One uninterrupted run of `data/tiny.yaml`, every stage, in a folder of its own."""
    root = tmp_path_factory.mktemp("tiny") / "run"
    began = time.monotonic()
    done = run_command(["run", str(TINY), f"run={root}"])
    assert done.returncode == 0, done.stderr
    return FinishedRun(root, done.stdout, time.monotonic() - began)
