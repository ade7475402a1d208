"""Run every operation of the CUDA engine in Numba's simulator and write the results; run by `test_cuda`.

With the JIT switched off the simulator interprets loops and kernels themselves, by the engine's own launch code.
"""

from __future__ import annotations

import os
import pickle
import sys
import warnings
from pathlib import Path

os.environ["NUMBA_ENABLE_CUDASIM"] = "1"
os.environ["NUMBA_DISABLE_JIT"] = "1"

import numpy as np
import pyarrow as pa

from pipeline.engines import cuda
from pipeline.engines.cuda import mirrors, schedule
from pipeline.engines.cuda.launch import Gpu
from tests.engines.operations import results


def main(path: str) -> None:
    warnings.filterwarnings("ignore", "overflow", RuntimeWarning)  # hashes wrap around
    mirrors._SMALL = 1  # the batch is small
    found = []
    # Fewer threads than rows, long ones cut; then hardly scratch for one, and long rows and segments left to the
    # processor.
    small = Gpu(scratch=48 << 10, kept=8 << 10, threads=3)
    for gpu, long, segment in ((Gpu(threads=5), 1 << 20, 50), (small, 100, 150)):
        cuda.GPU, schedule.LONG, schedule.SEGMENT = gpu, long, segment
        found.append((results(cuda), cuda.left_to_host()))
        for array, copy in gpu.mirrors._kept.values():
            assert np.array_equal(array, copy.copy_to_host().view(array.dtype)), "a copy is not what the host has"
    # All that is to be rewritten is one long row: the processor's, and nothing for the device to move.
    book = pa.array([f"{'a page' * 20} \n"], pa.large_string())
    found.append((cuda.clean(book, ["whitespace"]).to_pylist(), cuda.left_to_host()))
    Path(path).write_bytes(pickle.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
