"""What is compiled as whole loops computes what Numba's own compiler makes compute, and any process can load it."""

from __future__ import annotations

import ast
import importlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.text.kernel import DISPATCHERS, KERNELS

ROOT = Path(__file__).parents[2]

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
WITHIN = """
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
"""A kernel that was compiled as part of a loop cannot be called by itself."""
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


def test_results_are_those_of_numbas_own_compiler_and_kernels_within_refuse_to_be_called(
    run: Run, tmp_path: Path
) -> None:
    told, refused = run("whole", WHOLE + RESULTS + WITHIN), "refused\n" * 3
    assert told.endswith(refused)  # in the same process: compiling takes half a minute
    whole = told.removesuffix(refused)
    assert whole == run("numba", RESULTS)
    later = run("whole", RESULTS + COMPILED)
    assert later == whole + "loaded 6 compiled 0\n"
    kept = {path.name.partition("-")[0] for path in (tmp_path / "whole").rglob("*.nbc")}
    loops = {"fold_rows", "flag_rows", "digest_rows", "sketch_rows"}
    assert kept == {"clean.suspect_rows", "loops.edge_rows", *(f"fingerprints.{name}" for name in loops)}


def test_no_host_code_calls_a_kernel() -> None:
    """Which of the kernels can be called while loops are compiled whole depends on what was compiled before."""
    modules = {path: importlib.import_module(_module(path)) for path in sorted((ROOT / "pipeline").rglob("*.py"))}
    called = []
    for path, module in modules.items():
        kernels = {name for name, value in vars(module).items() if _is_kernel(value)}
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(function, ast.FunctionDef) and not function.decorator_list:
                for node in ast.walk(function):
                    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in kernels:
                        called.append(f"{path.name}:{node.lineno} {node.func.id}")
    assert not called


def _module(path: Path) -> str:
    names = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(names[:-1] if names[-1] == "__init__" else names)


def _is_kernel(value: object) -> bool:
    return any(value is one for one in DISPATCHERS) and any(
        getattr(value, "py_func", None) is kernel.function for kernel in KERNELS.values()
    )
