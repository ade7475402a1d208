"""Arguments for every kernel: what the CPU, the simulator and PTX are compared on.

Each module here has a function `cases` for the kernels of one idea; a new module is found by itself.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import pipeline.engines.cpu  # noqa: F401  (it imports every kernel)
from pipeline.text.kernel import KERNELS

__all__ = ["Case", "cases", "names", "run"]

Case = tuple[str, tuple[Any, ...]]
"""A kernel's name in the register, and its arguments."""


def cases() -> Iterator[Case]:
    """Yield (kernel, arguments) for every declared kernel; arrays are fresh each time."""
    for module in sorted(found.name for found in pkgutil.iter_modules(__path__)):
        if module != "rows":
            yield from importlib.import_module(f"{__name__}.{module}").cases()


def run(case: Case, call: Callable[..., Any]) -> tuple[Any, ...]:
    """Call a kernel through `call` and return its result and what it wrote: every writable array, as bytes."""
    _, arguments = case
    arguments = tuple(a.copy() if _is_output(a) else a for a in arguments)
    result = call(*arguments)
    return int(result), *(a.tobytes() for a in arguments if _is_output(a))


def _is_output(argument: Any) -> bool:
    return isinstance(argument, np.ndarray) and argument.flags.writeable


def names() -> set[str]:
    """Return the names of all declared kernels."""
    return set(KERNELS)
