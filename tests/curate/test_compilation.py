"""Kernels are compiled once on a machine; whoever comes meanwhile waits; a failure is one message."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipeline.curate import compilation
from pipeline.errors import MachineError


@pytest.fixture
def cold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine on which nothing is marked as compiled."""
    monkeypatch.setattr(compilation, "_stamp", lambda: tmp_path / "compiled-here")
    return tmp_path


def test_the_session_has_compiled_everything() -> None:
    assert compilation.is_compiled()
    compilation.ensure_compiled(lambda: pytest.fail("there is something to compile"))


def test_the_stamp_depends_on_source_and_processor() -> None:
    code = "from pipeline.curate import compilation as c; print(c._stamp().name)"
    kernel = "import pipeline.text.kernel as k; k.source_digest = lambda: 'other'; "

    def name(before: str) -> str:
        done = subprocess.run([sys.executable, "-c", before + code], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    assert name("") == compilation._stamp().name != name(kernel)


def test_one_compiles_and_the_others_wait(cold: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = []

    def in_a_process(share: list[str]) -> subprocess.CompletedProcess[str]:
        steps.extend(share)
        time.sleep(0.2)
        return subprocess.run([sys.executable, "-c", ""], capture_output=True, text=True, check=False)

    monkeypatch.setattr(compilation, "_in_a_process", in_a_process)
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(compilation.ensure_compiled) for _ in range(4)]:
            done.result()
    assert sorted(steps) == sorted(compilation._STEPS)
    assert compilation.is_compiled()


def test_a_process_that_fails_is_one_message(cold: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compilation, "_STEPS", {"no such step": compilation._Step(lambda: None, 1)})
    told: list[bool] = []
    with pytest.raises(MachineError, match="cannot be compiled: KeyError") as caught:
        compilation.ensure_compiled(lambda: told.append(True))
    assert told == [True]
    assert "NUMBA_CACHE_DIR" in str(caught.value)
    assert not compilation.is_compiled()


def test_remembering_types_changes_no_result() -> None:
    """In a process of its own, as it changes Numba for good; the kernel is compiled anew, not loaded."""
    code = """
import numpy as np
from numba import njit
from pipeline.curate.compilation import _remember_types
from pipeline.text import digest, hashing
from pipeline.text.kernel import KERNELS
_remember_types()
buffer = np.frombuffer(bytes(range(256)) * 3, np.uint8)
fresh = njit(error_model="numpy")(KERNELS["digest.digest"].function)
for start, end in ((0, 0), (1, 17), (5, 700)):
    here, there = np.zeros((2, 2), np.uint64)
    assert fresh(buffer, start, end, here) == digest.digest(buffer, start, end, there) == end - start
    assert (here == there).all(), (here, there)
for mixed in (lambda a, b: a + b, lambda a, b: a * b - 1, lambda a, b: (a << b) | (a >> 1)):
    for a, b in ((3, 4), (np.uint64(3), np.uint64(4)), (3, 4), (np.int8(3), 4)):
        if isinstance(a, np.uint64):
            b = np.uint64(b)
        assert njit(mixed)(a, b) == mixed(int(a), int(b))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_step_compiles_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine with as many cores as there are steps."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    done = compilation._in_a_process(["keys"])
    assert done.returncode == 0, done.stderr
