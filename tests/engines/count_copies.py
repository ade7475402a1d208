"""Curate a slice by the CUDA engine in Numba's simulator and count what text is copied; run by `test_cuda`.

Every copy between host and device is made by one of three functions, and noted here as it is made.
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
from numba import cuda as device
from numba.cuda.simulator.cudadrv.devicearray import FakeCUDAArray

from pipeline.curate.slices import curate_slice
from pipeline.engines import cuda
from pipeline.engines.cuda import mirrors, schedule
from pipeline.engines.cuda.launch import Gpu
from tests.engines.a_slice import noted, recipe, slice_of_rows, slices_of_file


def main(path: str) -> None:
    warnings.filterwarnings("ignore", "overflow", RuntimeWarning)  # hashes wrap around
    mirrors._SMALL = 1  # the rows are few
    there: list[int] = []
    back: list[int] = []
    device.to_device = noted(device.to_device, 0, there)
    FakeCUDAArray.copy_to_device = noted(FakeCUDAArray.copy_to_device, 1, there)
    FakeCUDAArray.copy_to_host = noted(FakeCUDAArray.copy_to_host, 0, back)
    found = []
    for long in (schedule.LONG, 120):  # then with most rows left to the processor
        schedule.LONG, cuda.GPU = long, Gpu(threads=64)
        done = curate_slice(slice_of_rows(), recipe(), cuda, {})
        copies = list(there), list(back)
        for array, copy in cuda.GPU.mirrors._kept.values():
            assert np.array_equal(array, copy.copy_to_host().view(array.dtype)), "a copy is not what the host has"
        found.append((copies, [repr(table.to_pylist()) for table in (done.kept, done.keys)], cuda.left_to_host()))
        there.clear()
        back.clear()
    # From a file, whose bytes are read on the device.
    file = Path(path).with_suffix(".jsonl")
    schedule.LONG, cuda.GPU = 1 << 20, Gpu(threads=64)
    (ingested,) = slices_of_file(file, cuda)
    done = curate_slice(ingested, recipe(), cuda, {})
    found.append(((there, back), [repr(table.to_pylist()) for table in (done.kept, done.keys)], file.stat().st_size))
    Path(path).write_bytes(pickle.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
