"""How much memory processes of this machine, or of this container, may take."""

from __future__ import annotations

from pathlib import Path

import psutil

__all__ = ["available_memory", "total_memory"]

_CGROUP = Path("/sys/fs/cgroup")
"""The container's own group, as version 2 of control groups shows it; of version 1 under `memory`."""


def total_memory(cgroup: Path = _CGROUP) -> int:
    """Bytes: the machine's, or what a container may take of them."""
    total = psutil.virtual_memory().total
    limit = _limit(cgroup)
    return total if limit is None else min(total, limit)


def available_memory(cgroup: Path = _CGROUP) -> int:
    """Bytes that can be had without swapping; files that are held in memory only to be read again count as free."""
    free = psutil.virtual_memory().available
    limit, used = _limit(cgroup), _used(cgroup)
    return free if limit is None or used is None else min(free, max(limit - used, 0))


def _limit(cgroup: Path) -> int | None:
    return _number(cgroup / "memory.max") or _number(cgroup / "memory/memory.limit_in_bytes")


def _used(cgroup: Path) -> int | None:
    for usage, statistics, idle in (
        ("memory.current", "memory.stat", "inactive_file"),
        ("memory/memory.usage_in_bytes", "memory/memory.stat", "total_inactive_file"),
    ):
        if (taken := _number(cgroup / usage)) is not None:
            lines = (line.split() for line in _text(cgroup / statistics).splitlines())
            return taken - next((int(line[1]) for line in lines if line[:1] == [idle]), 0)
    return None


def _number(path: Path) -> int | None:
    text = _text(path).strip()
    return int(text) if text.isdigit() else None  # `max`: there is none


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except OSError:
        return ""
