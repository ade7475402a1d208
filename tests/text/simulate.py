"""Run every case in Numba's CUDA simulator and write the results; run by `test_kernel` in a process of its own.

With the JIT switched off, the simulator interprets the kernels themselves and not machine code for the CPU.
"""

from __future__ import annotations

import os
import pickle
import sys
import warnings
from pathlib import Path
from typing import Any

os.environ["NUMBA_ENABLE_CUDASIM"] = "1"
os.environ["NUMBA_DISABLE_JIT"] = "1"

import numpy as np
from numba import cuda

from pipeline.text.kernel import KERNELS
from tests.text.cases import cases, run


def main(path: str) -> None:
    warnings.filterwarnings("ignore", "overflow", RuntimeWarning)  # hashes wrap around
    results = []
    for case in cases():
        kernel = KERNELS[case[0]]
        launcher = launch(kernel.function, len(case[1]))
        unsigned = kernel.signature.startswith("uint64(")

        def call(*arguments: Any, launcher: Any = launcher, unsigned: bool = unsigned) -> Any:
            result = np.zeros(1, np.uint64 if unsigned else np.int64)
            # The simulator copies every array back, so it needs to be allowed to.
            launcher[1, 1](
                result, *(a if not isinstance(a, np.ndarray) or a.flags.writeable else a.copy() for a in arguments)
            )
            return result[0]

        results.append((case[0], run(case, call)))
    Path(path).write_bytes(pickle.dumps(results))


def launch(function: Any, arity: int) -> Any:
    """Return a CUDA kernel whose first thread calls `function`."""
    names = ", ".join(f"a{k}" for k in range(arity))
    scope: dict[str, Any] = {"cuda": cuda, "function": function}
    exec(f"def one(result, {names}):\n    if cuda.grid(1) == 0:\n        result[0] = function({names})\n", scope)
    return cuda.jit(scope["one"])


if __name__ == "__main__":
    main(sys.argv[1])
