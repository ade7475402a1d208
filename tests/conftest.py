"""The tiny recipe, run once for all tests that look at a finished run."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler import LoadFileScheduling

ROOT = Path(__file__).resolve().parents[1]
TINY = ROOT / "data" / "tiny.yaml"

# Of the tests, and of all that they start: torch's threads that wait for each other on busy cores make a step of
# milliseconds one of seconds.
os.environ["OMP_NUM_THREADS"] = "1"

# The same source passes or fails every time, so that a failure is the change's; `make soak` draws examples anew.
settings.register_profile("same", derandomize=True)
settings.register_profile("soak", derandomize=False, print_blob=True)
settings.load_profile("same")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Compile the kernels once, on all cores, before the workers of the tests start to do it one by one."""
    if not hasattr(session.config, "workerinput"):
        from pipeline.curate.compilation import ensure_compiled

        ensure_compiled()


_LONG = (
    "test_kill.py",
    "flows/",
    "examples/",
    "retrain/",
    "containers/",
    "train/test_train.py",
    "train/test_resume.py",
)
"""What runs for minutes comes first, so that no worker of the tests is left alone with it in the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the long files first; all else stays in its order."""

    def place(item: pytest.Item) -> int:
        path = item.path.relative_to(ROOT / "tests").as_posix()
        return next((at for at, begins in enumerate(_LONG) if path.startswith(begins)), len(_LONG))

    items.sort(key=place)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling | None:
    """With `--dist loadfile` a worker gets a file; those that share a Prefect server it gets together."""

    class Together(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = super()._split_scope(nodeid)
            return "tests/flows" if file.startswith("tests/flows/") else file

    return Together(config, log) if config.getvalue("dist") == "loadfile" else None


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
    """A finished run of the tiny recipe, and how long it took."""

    def __init__(self, root: Path, seconds: float) -> None:
        self.root = root
        self.seconds = seconds


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> FinishedRun:
    """One uninterrupted run of `data/tiny.yaml`, every stage, in a folder of its own.

    It is made once, by the first worker of the tests that wants it; each works in a copy, for what holds a run
    directory refuses all others.
    """
    base = tmp_path_factory.getbasetemp()
    made = (base if worker_id == "master" else base.parent) / "tiny"
    with made.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (made / "seconds").exists():
            began = time.monotonic()
            done = run_command(["run", str(TINY), f"run={made / 'run'}"], timeout=550)
            assert done.returncode == 0, done.stderr
            (made / "seconds").write_text(str(time.monotonic() - began))
    mine = tmp_path_factory.mktemp("tiny")
    shutil.copytree(made, mine, dirs_exist_ok=True)  # with the champion, which lies beside the run directory
    return FinishedRun(mine / "run", float((mine / "seconds").read_text()))
