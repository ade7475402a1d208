"""`python -m flows.worker --pool POOL …`: Prefect's worker, stopped so that its flow runs can save their work.

`prefect worker start` answers SIGTERM by killing its flow runs outright, and a training that is killed outright goes
back to its last checkpoint. This starts that worker with the same arguments and, on SIGTERM or Ctrl-C, first asks the
flow runs to stop, as a cancellation does, waits for them, and only then stops the worker.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import threading
from types import FrameType

import psutil

__all__ = ["main"]

_GRACE = 30.0
"""Seconds that flow runs have: what Prefect gives to a cancelled one; `train.launch.grace` stays below it."""


def main(arguments: list[str]) -> int:
    """Run the worker until it ends or is asked to stop; returns its exit code."""
    asked = threading.Event()

    def ask(_number: int, _frame: FrameType | None) -> None:
        asked.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, ask)
    # A session of its own: Ctrl-C in a terminal must reach this process alone.
    command = [sys.executable, "-m", "prefect", "worker", "start", *arguments]
    worker = subprocess.Popen(command, start_new_session=True)
    while worker.poll() is None:
        if asked.wait(timeout=0.5):
            _stop(worker)
    return worker.returncode


def _stop(worker: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        runs = psutil.Process(worker.pid).children()
        for run in runs:
            with contextlib.suppress(psutil.NoSuchProcess):
                run.terminate()
        psutil.wait_procs(runs, timeout=_GRACE)
    worker.terminate()
    worker.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
