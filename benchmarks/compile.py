"""How long the first process on a machine takes to compile everything, and how long the next one takes to load it.

    python benchmarks/compile.py

Each is a fresh process that imports the pipeline and curates a few rows of every kind; the first has an empty cache.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BENCHMARKS = Path(__file__).parent
CURATE = """
import sys, time
from pathlib import Path
begin = time.perf_counter()
import numpy as np
from pass_one import here, pass_one, recipe_for
from pipeline.engines import cpu
imported = time.perf_counter()
folder = Path(sys.argv[1])
rows = {
    "text": ['{"text": "Some words \u00e9\u00e0 \u212b by a@b.example, +1 415 555 0123", "n": ["x@y.example \\\\n"]}'],
    "code": ['{"text": "def f():\\\\n    return 1  # some\\\\n", "o": {"k": "8.8.8.8"}}'],
    "pair": ['{"input": "a question about it", "output": "its answer, and more"}'],
    "chat": ['{"messages": [{"role": "user", "content": "hello to you"}, {"role": "assistant", "content": "well"}]}'],
}
formats = {"pair": "completion", "chat": "chat"}
for kind, lines in rows.items():
    (folder / "rows.jsonl").write_text("\\n".join(lines), encoding="utf-8")
    source = {"name": "s", "kind": kind, "format": formats.get(kind, "text"), "path": str(folder / "rows.jsonl")}
    recipe = recipe_for(folder / "run", folder / "rows.jsonl", part_bytes=1 << 20, sources=[source])
    assert pass_one(recipe, run_parts=here).rows["kept"] == 1
sketches = np.zeros((2, 112), np.uint32)
cpu.similarity(sketches, sketches)
cpu.band_keys(sketches, 16, 7)
print(f"import {imported - begin:.1f} s, curate {time.perf_counter() - imported:.1f} s")
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            **os.environ,
            "NUMBA_CACHE_DIR": str(Path(folder) / "cache"),
            "PYTHONPATH": f"{BENCHMARKS.parent}{os.pathsep}{BENCHMARKS}",
        }
        for name in ("empty cache", "next process"):
            begin, used = time.perf_counter(), processor_seconds()
            done = subprocess.run(
                [sys.executable, "-c", CURATE, folder], env=environment, capture_output=True, text=True, check=False
            )
            if done.returncode:
                sys.exit(done.stderr)
            print(
                f"{name:<14}{time.perf_counter() - begin:>6.1f} s in all: {done.stdout.strip()}; "
                f"{processor_seconds() - used:.1f} s of processor time"
            )


def processor_seconds() -> float:
    """What the processes that have ended took, with those that they had started."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
