"""Processes that end with the process that started them, and ranks that say why they ended.

    launcher ──▶ agent (torchrun) ──▶ ranks

Each of the three outlives no other: the agent and every rank ask the kernel for SIGKILL at the death of their
parent. SIGKILL and not SIGTERM, because a launcher that is gone has let go of the run directory, and a rank
that still saved would write beside the next run's ranks.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from pipeline import errors
from pipeline.atomic import write_json
from pipeline.errors import ProjectError
from pipeline.failures import full_disk

__all__ = ["OUTCOME", "PARENT", "die_with_parent", "read_outcome", "run_rank"]

PARENT = "CURATE_AND_TRAIN_PARENT"
"""Environment variable: the process id that `die_with_parent` expects for its parent."""

OUTCOME = "CURATE_AND_TRAIN_OUTCOME"
"""Environment variable: the file into which a rank writes the `ProjectError` that ended it."""

_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent dies; call it first of all.

    Linux sends the signal when the parent's *thread* that started this process ends: that thread must wait for it,
    as the launcher's and the agent's do. Other systems have no such signal; there only the launcher's own
    clean-up applies.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    # The parent may have died before the call: then init, or a reaper, is the parent by now.
    if PARENT in os.environ and os.getppid() != int(os.environ[PARENT]):
        os._exit(1)
    os.environ[PARENT] = str(os.getpid())


def run_rank(main: Callable[[Sequence[str]], None]) -> NoReturn:
    """Run a rank's `main` with the command line's arguments, and exit as the launcher expects.

    Exit code 0, or that of the `ProjectError` that ended it, with its message in the outcome file; any other
    exception goes into torchelastic's error file with its traceback.
    """
    die_with_parent()
    try:
        main(sys.argv[1:])
    except ProjectError as error:
        _leave(error)
    except Exception as error:
        if full := full_disk(error, where=" ".join(sys.argv[1:])):
            _leave(full)
        from torch.distributed.elastic.multiprocessing.errors import get_error_handler

        get_error_handler().record_exception(error)
        raise
    sys.exit(0)


def read_outcome(path: Path) -> ProjectError | None:
    """The error that a rank left at `path`, or None."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    kind = getattr(errors, value["kind"])
    return kind(value["what"], where=value["where"], mend=value["mend"])  # type: ignore[no-any-return]


def _leave(error: ProjectError) -> NoReturn:
    print(error, file=sys.stderr, flush=True)
    if OUTCOME in os.environ:
        value = {"kind": type(error).__name__, "what": error.what, "where": error.where, "mend": error.mend}
        write_json(Path(os.environ[OUTCOME]), value)
    sys.exit(error.exit_code)
