"""What a kernel is, and the register of all of them.

A kernel is a plain function over `(buffer, start, end, …)`: the bytes of a whole column, and where one row lies in
them. It returns an int64, computes with integers only, allocates nothing (scratch memory is an argument), raises
nothing, and never reads outside `[start, end)`, whatever the bytes are. So the very same function

- compiles for the CPU (`declare` returns Numba's dispatcher, which other kernels and the engines' loops call),
- compiles to PTX for a GPU (`Kernel.function` with `Kernel.signature`), and
- runs as plain Python, in Numba's CUDA simulator too.

The tests walk `KERNELS` and hold every kernel to that. Three rules follow from it: a byte is widened before arithmetic
(`int64(buffer[i])`, since a NumPy uint8 wraps where Numba's does not), hashes are `np.uint64` throughout (signed
and unsigned 64-bit do not mix), and a helper is itself a kernel.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from numba import njit

if TYPE_CHECKING:  # a kernel's integers are `int` to the type checker, Python's or NumPy's when it runs as it stands
    int64 = int
else:
    from numpy import int64

__all__ = ["DISPATCHERS", "KERNELS", "Kernel", "compiled", "compiled_files", "declare", "int64", "source_digest"]

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class Kernel:
    """A declared kernel.

    Attributes:
        name: `<module>.<function>`, as in `signals.measure`.
        function: The plain Python function.
        signature: Its Numba signature, as in `int64(uint8[::1], int64, int64)`.
    """

    name: str
    function: Callable[..., Any]
    signature: str


KERNELS: dict[str, Kernel] = {}
"""Every kernel whose module has been imported, by name."""

DISPATCHERS: list[Any] = []
"""What `compiled` has returned: Numba's dispatcher of every kernel and of every loop."""


def declare(signature: str, *, inline: bool = False) -> Callable[[Function], Function]:
    """Enter a kernel into the register and compile it for the CPU.

    Args:
        signature: Numba's, with int64 as the result. The CPU compiles for the types that it is called with (read-only
            arrays are a type of their own); the register's signature is what is compiled for CUDA.
        inline: Put its machine code into every caller. A call with arrays passes seven words for each, which takes
            longer than a small kernel itself.

    Returns:
        A decorator that returns the CPU's dispatcher in place of the function.
    """

    def enter(function: Function) -> Function:
        name = f"{function.__module__.rpartition('.')[2]}.{function.__name__}"
        KERNELS[name] = Kernel(name, function, signature)
        return compiled(function, inline=inline)

    return enter


def compiled(function: Function, *, inline: bool = False) -> Function:
    """Compile a kernel, or a loop over rows that calls kernels, for the CPU.

    The result releases the GIL and is kept on disk. Numba's own cache looks only at the file of the function itself,
    and would go on using yesterday's machine code of a loop after a kernel that it calls was changed; so the stamp is
    widened to the source of all kernels.
    """
    options = {"nogil": True, "error_model": "numpy", "cache": True, "no_cfunc_wrapper": True}
    dispatcher = njit(forceinline=inline, **options)(function)
    DISPATCHERS.append(dispatcher)
    # Without `_cache`, the JIT is switched off (NUMBA_DISABLE_JIT) and the function runs as it stands.
    if (disk := getattr(dispatcher, "_cache", None)) is not None:
        disk._cache_file._source_stamp = (disk._cache_file._source_stamp, source_digest())
    return dispatcher  # type: ignore[no-any-return]


@cache
def source_digest() -> str:
    """Return the digest of the source of all kernels: what they compute depends on nothing else."""
    digest = hashlib.blake2b(digest_size=16)
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def compiled_files() -> Path:
    """Return the folder in which Numba keeps the machine code of the kernels here."""
    from pipeline.text import hashing

    return Path(hashing.mix._cache.cache_path)  # type: ignore[attr-defined]
