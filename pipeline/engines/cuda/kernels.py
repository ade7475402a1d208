"""CUDA kernels: any loop over rows with a row a thread, and rows moved with a warp each."""

from __future__ import annotations

from functools import cache
from typing import Any

from numba import cuda

from pipeline.engines.launch import Loop

__all__ = ["WARP", "kernel_of", "launched", "mover"]

WARP = 32
"""Threads of the blocks that move rows."""


def launched(loop: Loop, scratch: tuple[bool, ...]) -> Any:
    """Return the Python function of the kernel that calls a loop from many threads, for one row at a time.

    Its arguments are `order` (int64, the rows; thread t takes those at t, t + threads, …) and the loop's own behind
    `first` and `last`; what is scratch has one more dimension, in front, for the threads.

    Args:
        loop: A loop over rows.
        scratch: For each of these arguments whether it is scratch.
    """
    names = [f"a{k}" for k in range(len(scratch))]
    passed = ", ".join(f"{name}[thread]" if own else name for name, own in zip(names, scratch, strict=True))
    source = f"""
def {loop.__name__}(order, {", ".join(names)}):
    thread = cuda.grid(1)
    for k in range(thread, len(order), cuda.gridsize(1)):
        row = order[k]
        loop(row, row + 1, {passed})
"""
    scope: dict[str, Any] = {"cuda": cuda, "loop": loop}
    exec(source, scope)  # a loop has as many arguments as it has, which `*` would make a tuple of
    return scope[loop.__name__]


@cache
def kernel_of(loop: Loop, scratch: tuple[bool, ...]) -> Any:
    """The kernel of `launched`, compiled for the types that it is called with."""
    return cuda.jit(launched(loop, scratch))


def move_rows(source: Any, places: Any, target: Any, bounds: Any, rows: Any) -> None:
    """Copy rows from `places[row]` on to where they lie one behind the other; a block of `WARP` threads a row."""
    for k in range(cuda.blockIdx.x, len(rows), cuda.gridDim.x):
        row = rows[k]
        begin = bounds[row]
        for i in range(cuda.threadIdx.x, bounds[row + 1] - begin, WARP):
            target[begin + i] = source[places[row] + i]


@cache
def mover() -> Any:
    """The kernel `move_rows`."""
    return cuda.jit(move_rows)
