"""What is compiled as whole loops computes what Numba's own compiler makes compute, and any process can load it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[[str, str], str]

WHOLE = "from pipeline.curate import whole_loops; whole_loops.compile_whole_loops()"
RESULTS = """
import numpy as np
import pyarrow as pa
from pipeline.engines import cpu
words = ("word %d, " % n * n for n in range(40))
foreign = ("\\u00c5ngstr\\u00f6m\\r\\n\\t caf\\u00e9 ", "\\ufb01 \\u200b")
texts = pa.array(["", "a", "x" * 70, *foreign, *words], pa.large_string())
normal = cpu.normalise(texts)
cleaned = cpu.clean(texts, ["newlines", "whitespace"])
print([one.to_pylist() for one in (normal, cleaned)], cpu.digest(texts).tolist(), cpu.sketch(normal).tolist())
"""
COMPILED = """
from pipeline.text.kernel import DISPATCHERS
print("loaded", sum(sum(one.stats.cache_hits.values()) for one in DISPATCHERS), end=" ")
print("compiled", sum(sum(one.stats.cache_misses.values()) for one in DISPATCHERS))
"""


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run code in a process of its own, with its own cache, and return what it prints."""

    def run(cache: str, code: str) -> str:
        environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / cache)}
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_results_are_those_of_numbas_own_compiler(run: Run, tmp_path: Path) -> None:
    whole = run("whole", WHOLE + RESULTS)
    assert whole == run("numba", RESULTS)
    later = run("whole", RESULTS + COMPILED)
    assert later == whole + "loaded 6 compiled 0\n"
    kept = {path.name.partition("-")[0] for path in (tmp_path / "whole").rglob("*.nbc")}
    loops = {"fold_rows", "flag_rows", "digest_rows", "sketch_rows"}
    assert kept == {"clean.suspect_rows", "loops.edge_rows", *(f"fingerprints.{name}" for name in loops)}


def test_a_kernel_within_a_loop_refuses_to_be_called(run: Run) -> None:
    code = """
from pipeline.engines import cpu
from pipeline.text import digest
import numpy as np
import pyarrow as pa
cpu.digest(pa.array(["a"], pa.large_string()))
inner = [one for one in digest.digest.overloads.values()]
assert inner, "it was compiled"
for arguments in ((), (1,), (np.zeros(1),)):
    try:
        inner[0].entry_point(arguments)
    except (KeyError, TypeError):
        print("refused")
"""
    assert run("whole", WHOLE + code) == "refused\n" * 3
