"""The files between the steps of a stage: arrays, written once, mapped when they are read.

A stage's outputs are on the disk before they are recorded. The files between its steps need not be: a process that is
killed leaves the kernel's cache as it is, and after the loss of the machine the stage may begin anew. So their folder
is named after the kernel's boot, and what another boot left is removed. A worker on another machine, whose cache is
another, and a system without such a number write them through.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pipeline.atomic import atomic_file

__all__ = ["Map", "load", "save", "work_folder"]

Map: TypeAlias = Callable[[Callable[[Any], Any], Sequence[Any]], list[Any]]
"""Runs a function on every job, anywhere, and returns the results in the jobs' order: Dask's workers, or `map`."""


_BOOT = Path("/proc/sys/kernel/random/boot_id")


def work_folder(folder: Path) -> Path:
    """The folder below `folder` for the files between steps, with what this boot of the machine has left there."""
    boot = _boot()
    home = folder / (boot or "synced")
    for other in folder.iterdir() if folder.is_dir() else ():
        if other != home:
            shutil.rmtree(other, ignore_errors=True)
    return home


@cache
def _boot() -> str | None:
    """What the running kernel calls itself, as the name of a folder; None where it has no name."""
    try:
        return f"boot-{_BOOT.read_text(encoding='ascii').strip()}"
    except OSError:
        return None


def save(path: Path, array: NDArray[Any]) -> None:
    """Write one array atomically: a file that is there is whole, so its step need not be repeated.

    It is written through, save in a `work_folder` of this boot.

    Raises:
        MachineError: the disk is full.
    """
    with atomic_file(path, synced=_boot() not in path.parts) as beside, beside.open("wb") as file:
        np.save(file, array, allow_pickle=False)


def load(path: Path) -> NDArray[Any]:
    """Map an array; what is not looked at is not read."""
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]
    except ValueError:  # nothing can be mapped of an array without elements
        return np.load(path, allow_pickle=False)  # type: ignore[no-any-return]
