"""Freed memory is kept for the next slice of a part, and given back before a long row and behind the last slice."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from pipeline.curate import heap

CODE = """
import resource, sys, threading
import numpy as np
from pipeline.curate.heap import given_back, kept

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() >> 20

def freed():
    arrays = [np.ones(1 << 20, np.uint8) for _ in range(40)]
    pinned = np.ones(4096, np.uint8)  # above them in the heap
    del arrays
    return pinned

def faults():
    before = resource.getrusage(resource.RUSAGE_THREAD).ru_minflt
    for _ in range(20):
        np.ones(1 << 20, np.uint8)
    return resource.getrusage(resource.RUSAGE_THREAD).ru_minflt - before

def work():
    found = [faults()]
    before = resident()
    with kept():
        freed()
        found += [faults(), resident() - before]
        with given_back():
            found += [faults(), resident() - before]
        freed()
    found.append(resident() - before)
    print(*found)

if sys.argv[1] == "thread":
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
else:
    work()
"""


@pytest.mark.skipif(heap._glibc() is None, reason="the C library is not glibc")
@pytest.mark.parametrize("where", ["thread", "main"])
def test_pages_are_kept_within_the_block_and_given_back_when_asked_and_behind_it(where: str) -> None:
    environment = {**os.environ, "MALLOC_TRIM_THRESHOLD_": "65536", "MALLOC_ARENA_MAX": "1"}  # as workers are started
    environment.pop("MALLOC_MMAP_THRESHOLD_", None)
    command = [sys.executable, "-c", CODE, where]
    made = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    without, within, held, long, held_by_long, left = map(int, made.stdout.split())
    assert within < without / 4
    assert held > 30  # MiB, of 40
    assert long > within * 4
    assert held_by_long < 10
    assert left < 10
