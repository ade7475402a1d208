"""CUDA kernels: any loop over rows with a row or segment a thread, and pieces of rows moved with a warp each.

They are kept on disk, beside the processor's, and compiled once a machine. Numba keeps a kernel under the file of its
function, so the source that `launched` makes is written to one; and as for the processor (`text.kernel.compiled`) the
stamp is widened to the source of all that the kernel calls.
"""

from __future__ import annotations

import hashlib
import inspect
from functools import cache
from pathlib import Path
from typing import Any

from numba import config, cuda

from pipeline.atomic import atomic_file
from pipeline.engines.launch import Loop
from pipeline.text.kernel import compiled_files, source_digest

__all__ = ["WARP", "kernel_of", "launched", "mover"]

WARP = 32
"""Threads of the blocks that move pieces of rows."""


def launched(loop: Loop, scratch: tuple[bool, ...], *, folder: Path | None = None) -> Any:
    """Return the Python function of the kernel that calls a loop from many threads, for one row at a time.

    Its arguments are `order` (int64, the rows; thread t takes those at t, t + threads, …) and the loop's own behind
    `first` and `last`; what is scratch has one more dimension, in front, for the threads.

    Args:
        loop: A loop over rows.
        scratch: For each of these arguments whether it is scratch.
        folder: For a file of its source, without which Numba keeps no kernel.
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
    path = _written(source, folder / loop.__module__) if folder else "<launched>"
    scope: dict[str, Any] = {"__name__": loop.__module__, "cuda": cuda, "loop": loop}
    # A loop has as many arguments as it has, which `*` would make a tuple of.
    exec(compile(source, path, "exec"), scope)
    return scope[loop.__name__]


def _written(source: str, folder: Path) -> str:
    """The path of a file of that source, which is not touched if it is there: Numba looks at its time."""
    path = folder / f"launched-{hashlib.blake2b(source.encode(), digest_size=8).hexdigest()}.py"
    if not path.exists():
        with atomic_file(path) as beside:
            beside.write_text(source, encoding="utf-8")
    return str(path)


@cache
def kernel_of(loop: Loop, scratch: tuple[bool, ...]) -> Any:
    """The kernel of `launched`, compiled for the types that it is called with, or read from the disk."""
    if config.ENABLE_CUDASIM:
        return cuda.jit(launched(loop, scratch))
    kernel = cuda.jit(launched(loop, scratch, folder=compiled_files() / "cuda"), cache=True)
    file = kernel._cache._cache_file
    called = Path(inspect.getfile(loop.py_func)).read_bytes()  # type: ignore[attr-defined]
    file._source_stamp = (file._source_stamp, source_digest(), hashlib.blake2b(called).hexdigest())
    return kernel


def move_pieces(source: Any, starts: Any, target: Any, places: Any, lengths: Any) -> None:
    """Copy the values from `starts[k]` on to `places[k]`, `lengths[k]` of them; a block of `WARP` threads a piece."""
    for k in range(cuda.blockIdx.x, len(lengths), cuda.gridDim.x):
        start = starts[k]
        place = places[k]
        for i in range(cuda.threadIdx.x, lengths[k], WARP):
            target[place + i] = source[start + i]


@cache
def mover() -> Any:
    """The kernel `move_pieces`."""
    return cuda.jit(move_pieces, cache=True)
