"""Processes that tests start, looked at while they begin and end: any may be gone or a zombie at any moment."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import psutil

__all__ = ["alive", "children", "command", "kill", "left", "variable"]


def children(pid: int) -> list[psutil.Process]:
    """Everything that a process has started and that is its descendant still."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def alive(processes: Sequence[psutil.Process]) -> list[psutil.Process]:
    """Those that run still; a zombie does not."""
    return [one for one in processes if _runs(one)]


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def left(processes: Sequence[psutil.Process], within: float) -> list[psutil.Process]:
    """Those that run still after so many seconds; sooner where all have ended."""
    _, waiting = psutil.wait_procs(processes, timeout=within)
    return alive(waiting)


def command(process: psutil.Process) -> str:
    """Its words; none of one that is gone, a zombie, or another user's."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def variable(process: psutil.Process, name: str) -> str | None:
    """A variable of its environment; None of one that is gone, a zombie, or another user's."""
    try:
        return process.environ().get(name)
    except psutil.Error:
        return None


def kill(processes: Iterable[psutil.Process]) -> None:
    """SIGKILL to each that is there still."""
    for process in processes:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
