"""The files between the steps of a stage: arrays, written once, mapped when they are read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pipeline.atomic import atomic_file

__all__ = ["Map", "load", "save"]

Map: TypeAlias = Callable[[Callable[[Any], Any], Sequence[Any]], list[Any]]
"""Runs a function on every job, anywhere, and returns the results in the jobs' order: Dask's workers, or `map`."""


def save(path: Path, array: NDArray[Any]) -> None:
    """Write one array atomically: a file that is there is whole, so its step need not be repeated.

    Raises:
        MachineError: the disk is full.
    """
    with atomic_file(path) as beside, beside.open("wb") as file:
        np.save(file, array, allow_pickle=False)


def load(path: Path) -> NDArray[Any]:
    """Map an array; what is not looked at is not read."""
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]
    except ValueError:  # nothing can be mapped of an array without elements
        return np.load(path, allow_pickle=False)  # type: ignore[no-any-return]
