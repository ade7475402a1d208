"""`python -m flows.gently worker start …`: a command of Prefect's that lets its flow runs save their work when stopped.

`prefect worker start` answers SIGTERM by killing its flow runs outright, and a training that is killed outright goes
back to its last checkpoint; `prefect flow-run execute`, a container's command, ends and leaves its flow run running.
This starts either with the same arguments and, on SIGTERM or Ctrl-C, first asks the flow runs to stop, as a
cancellation does, waits for them, and only then stops the command.
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
    """Run `prefect` with the arguments until it ends or is asked to stop; returns its exit code, as a shell would."""
    asked = threading.Event()

    def ask(_number: int, _frame: FrameType | None) -> None:
        asked.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, ask)
    # A session of its own: Ctrl-C in a terminal must reach this process alone.
    command = subprocess.Popen([sys.executable, "-m", "prefect", *arguments], start_new_session=True)
    while command.poll() is None:
        if asked.wait(timeout=0.5):
            _stop(command)
    return command.returncode if command.returncode >= 0 else 128 - command.returncode


def _stop(command: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        runs = psutil.Process(command.pid).children()
        for run in runs:
            with contextlib.suppress(psutil.NoSuchProcess):
                run.terminate()
        psutil.wait_procs(runs, timeout=_GRACE)
    command.terminate()
    command.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
