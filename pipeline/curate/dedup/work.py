"""The files between the steps of a stage: arrays and tables, written once, mapped when they are read.

A stage's outputs are on the disk before they are recorded. The files between its steps need not be: a process that is
killed leaves the kernel's cache as it is, and after the loss of the machine the stage may begin anew. So their folder
is named after the kernel's boot, and what another boot left is removed. A worker on another machine, whose cache is
another, and a system without such a number write them through.

What one task does alone needs no files: to `save` and `load`, a folder may be in the memory of the process.
"""

from __future__ import annotations

import ast
import mmap
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.atomic import atomic_file

__all__ = ["Map", "here", "in_memory", "load", "load_table", "save", "save_table", "work_folder"]

Map: TypeAlias = Callable[[Callable[[Any], Any], Sequence[Any]], list[Any]]
"""Runs a function on every job, anywhere, and returns the results in the jobs' order: Dask's workers, or `map`."""


def here(function: Callable[[Any], Any], jobs: Sequence[Any]) -> list[Any]:
    """Run every job in this process, one after the other: a `Map`."""
    return [function(job) for job in jobs]


_BOOT = Path("/proc/sys/kernel/random/boot_id")

_NOWHERE = f"{os.devnull}/"
"""What the paths of folders in memory begin with: there can be no file."""

_held: dict[Path, Any] = {}
"""What is in those folders."""


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


@contextmanager
def in_memory() -> Iterator[Path]:
    """Yield a folder whose arrays and tables are in the memory of this process, and gone when the block ends."""
    folder = Path(_NOWHERE, secrets.token_hex(8))
    try:
        yield folder
    finally:
        for path in list(_held):
            if folder in path.parents:
                del _held[path]


def save(path: Path, array: NDArray[Any]) -> None:
    """Write one array atomically: a file that is there is whole, so its step need not be repeated.

    It is written through, save in a `work_folder` of this boot. In a folder `in_memory` it is not copied.

    Raises:
        MachineError: the disk is full.
    """
    if str(path).startswith(_NOWHERE):
        _held[path] = array if array.flags.forc else np.ascontiguousarray(array)
        _held[path].flags.writeable = False  # as one that is mapped; for another kind a kernel would be compiled anew
        return
    with atomic_file(path, synced=_written_through(path)) as beside, beside.open("wb") as file:
        np.save(file, array, allow_pickle=False)


def load(path: Path) -> NDArray[Any]:
    """Map an array, not to be written to; what is not looked at is not read.

    `np.load` does the same in five times the time, most of it for the file's name: of a small stage that is a third.
    """
    if path in _held:
        held: NDArray[Any] = _held[path]
        return held
    with path.open("rb") as file:
        start = 10 + int.from_bytes(file.read(10)[8:], "little")
        shape, by_column, kind = _header(file.read(start - 10))
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    array: NDArray[Any] = np.ndarray(shape, kind, mapped, start, order="F" if by_column else "C")
    return array


@lru_cache
def _header(text: bytes) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether columns come first, and kind of the values, as version 1.0 of the format `.npy` has them."""
    header = ast.literal_eval(text.decode("latin1"))
    return header["shape"], header["fortran_order"], np.dtype(header["descr"])


def save_table(path: Path, table: pa.Table) -> None:
    """Write one table as `save` writes an array.

    Raises:
        MachineError: the disk is full.
    """
    if str(path).startswith(_NOWHERE):
        _held[path] = table
        return
    with atomic_file(path, synced=_written_through(path)) as beside, pa.ipc.new_file(beside, table.schema) as file:
        file.write_table(table)


def load_table(path: Path) -> pa.Table:
    """Map a table."""
    if path in _held:
        return _held[path]
    with pa.memory_map(str(path)) as source:
        return pa.ipc.open_file(source).read_all()


def _written_through(path: Path) -> bool:
    return _boot() not in path.parts
