"""Curate a slice by the CUDA engine in Numba's simulator and count what text is copied; run by `test_cuda`.

Every copy between host and device is made by one of three functions, and noted here as it is made.
"""

from __future__ import annotations

import ctypes
import os
import pickle
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

os.environ["NUMBA_ENABLE_CUDASIM"] = "1"
os.environ["NUMBA_DISABLE_JIT"] = "1"

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numba import cuda as device
from numba.cuda.simulator.cudadrv.devicearray import FakeCUDAArray

from pipeline.curate.slices import curate_slice
from pipeline.engines import cuda
from pipeline.engines.cuda import mirrors, parquet, schedule
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
        check_copies()
        found.append((copies, [repr(table.to_pylist()) for table in (done.kept, done.keys)], cuda.left_to_host()))
        there.clear()
        back.clear()
    # From a file, whose bytes are read on the device.
    file = Path(path).with_suffix(".jsonl")
    schedule.LONG = 1 << 20
    found.append((*of_file(file, there, back), file.stat().st_size))
    # From a file whose texts Arrow decodes, and from one whose texts are decoded on the device.
    found.append(of_file(file.with_suffix(".parquet"), there, back))
    series = stand_ins(back)
    there_already = mock.patch.object(device, "as_cuda_array", at, create=True)
    with mock.patch.object(parquet, "series_of_parquet", series), there_already:
        found.append(of_file(file.with_suffix(".parquet"), there, back))
    Path(path).write_bytes(pickle.dumps(found))


def of_file(file: Path, there: list[int], back: list[int]) -> tuple[Any, list[str]]:
    """The copies that are made as the rows of a file are curated, and the tables."""
    there.clear()
    back.clear()
    cuda.GPU = Gpu(threads=64)
    (ingested,) = slices_of_file(file, cuda)
    done = curate_slice(ingested, recipe(), cuda, {})
    copies = list(there), list(back)
    check_copies()
    return copies, [repr(table.to_pylist()) for table in (done.kept, done.keys)]


def check_copies() -> None:
    for array, copy in cuda.GPU.mirrors._kept.values():
        assert np.array_equal(array, copy.copy_to_host().view(array.dtype)), "a copy is not what the host has"


def stand_ins(back: list[int]) -> Callable[..., Iterator[dict[str, Any]]]:
    """What decodes Parquet, two rows at a time, into what is called of cuDF's columns; these lie in other memory."""

    def series(texts: pa.StringArray) -> Any:
        memory = np.frombuffer(texts.buffers()[2], np.uint8).copy()

        def to_arrow() -> pa.StringArray:
            back.append(len(memory))
            return texts

        span = SimpleNamespace(ptr=memory.ctypes.data, size=len(memory), memory=memory)
        column = SimpleNamespace(data=lambda: span, offset=lambda: 0)
        return SimpleNamespace(to_pylibcudf=lambda: (column, None), to_arrow=to_arrow)

    def decode(path: str, group: int, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
        table = pq.ParquetFile(path).read_row_group(group, columns=list(columns))
        for begin in range(0, len(table), 2):
            rows = table.take(pa.array(range(begin, min(begin + 2, len(table)))))
            yield {name: series(rows[name].chunk(0)) for name in columns}

    return decode


def at(one: Any) -> FakeCUDAArray:
    """What Numba makes of an array of the device that another library owns."""
    ((size,), (place, _)) = (one.__cuda_array_interface__[key] for key in ("shape", "data"))
    owned.append(one)
    return FakeCUDAArray(np.frombuffer((ctypes.c_ubyte * size).from_address(place), np.uint8))


owned: list[Any] = []
"""Numba keeps the owner with its array."""


if __name__ == "__main__":
    main(sys.argv[1])
