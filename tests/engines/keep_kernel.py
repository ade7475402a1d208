"""Compile one kernel of the CUDA engine as for devices, and say which were on the disk; run by `test_cuda`.

Only what asks the device is answered here: what it can compute, and that machine code was made for it of the PTX.
"""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import numba
from numba.cuda import codegen, dispatcher

from pipeline.engines.cuda import kernels
from pipeline.engines.operations.fingerprints import equal_rows


def main(*capabilities: int) -> None:
    """Compile for each of these; for 0 as for 90, with other source of the kernels."""
    dispatcher._Kernel.bind = lambda self: None
    for number in capabilities:
        capability = divmod(number or 90, 10)
        device = SimpleNamespace(compute_capability=capability)
        dispatcher.get_current_device = lambda found=device: found
        codegen.JITCUDACodegen.magic_tuple = lambda self, found=capability: found
        codegen.CUDACodeLibrary._ensure_cc = lambda self, cc, found=capability: found
        if not number:
            kernels.source_digest = lambda: "of other source"
        kernels.kernel_of.cache_clear()
        kernel = kernels.kernel_of(equal_rows, (False, False, False))
        words, values = (numba.types.Array(kind, ndim, "C") for kind, ndim in ((numba.int64, 1), (numba.uint32, 2)))
        types: tuple[Any, ...] = (words, values, values, words)
        kernel.compile(types)
        print("kept" if sum(kernel.stats.cache_hits.values()) else "compiled")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
