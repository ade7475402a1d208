"""`-m tests.train.rank WHAT`: a rank without torch's weight, which ends, fails or hangs as it is told."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import InputError
from pipeline.train.lifetime import run_rank


def main(arguments: Sequence[str]) -> None:
    rank = os.environ["RANK"]
    match arguments[0]:
        case "print":
            os.write(1, f"rank {rank} threads {os.environ['OMP_NUM_THREADS']}\n".encode())
            os.write(1, f"rank {rank} meets at {os.environ.get('MASTER_ADDR')}\n".encode())
        case "turns":
            _turns(Path(arguments[1]), room=int(arguments[2]))
        case "raise":
            raise ZeroDivisionError("the seventh")
        case "project-error":
            raise InputError("the what", where="the where", mend="the mend")
        case "full-disk":
            raise OSError(28, "No space left on device")
        case "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        case "last-killed":
            if rank == str(int(os.environ["WORLD_SIZE"]) - 1):
                os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(60)
        case "hang":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            os.write(1, f"pid {os.getpid()}\n".encode())  # one write: ranks share the pipe
            while True:
                time.sleep(1)
        case other:
            sys.exit(f"unknown: {other}")


def _turns(log: Path, *, room: int) -> None:
    """Make something that takes 10 of `room` bytes, and write down its beginning and its end."""
    from pipeline.train.parallel import Ranks

    with Ranks.join("cpu") as ranks, log.open("ab", buffering=0) as file:

        def make() -> tuple[int, int]:
            file.write(f"{ranks.local} begins\n".encode())
            time.sleep(0.05)
            file.write(f"{ranks.local} ends\n".encode())
            return ranks.rank, 10

        assert ranks.in_turns(make, room=lambda: room) == ranks.rank


if __name__ == "__main__":
    run_rank(main)
