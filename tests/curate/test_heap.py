"""Freed memory is kept for the next slice of a part, and given back behind the last."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from pipeline.curate import heap

CODE = """
import resource, threading
import numpy as np
from pipeline.curate.heap import kept_for_the_next

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() >> 20

def faults():
    before = resource.getrusage(resource.RUSAGE_THREAD).ru_minflt
    for _ in range(20):
        np.ones(2 << 20, np.uint8)
    return resource.getrusage(resource.RUSAGE_THREAD).ru_minflt - before

def work():  # in another thread, as workers do
    without = faults()
    before = resident()
    with kept_for_the_next():
        arrays = [np.ones(2 << 20, np.uint8) for _ in range(100)]
        pinned = np.ones(4096, np.uint8)
        del arrays
        within = faults()
    print(without, within, resident() - before)

thread = threading.Thread(target=work)
thread.start()
thread.join()
"""


@pytest.mark.skipif(heap._glibc() is None, reason="the C library is not glibc")
def test_pages_are_kept_within_the_block_and_given_back_behind_it() -> None:
    environment = {**os.environ, "MALLOC_TRIM_THRESHOLD_": "65536"}  # as Dask starts a worker
    environment.pop("MALLOC_MMAP_THRESHOLD_", None)
    made = subprocess.run([sys.executable, "-c", CODE], env=environment, capture_output=True, text=True, check=True)
    without, within, left = map(int, made.stdout.split())
    assert within < without / 4
    assert left < 50  # MiB of 200
