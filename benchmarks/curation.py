"""How fast the text operations are, beside a bare copy of the same bytes, on one core.

    python benchmarks/curation.py [MEGABYTES]

The texts are the modules of the running interpreter's standard library. Each operation is called once to load its
machine code, then takes the best of three. Ratios hold across machines; megabytes per second do not.
"""

from __future__ import annotations

import sys
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from pipeline.engines import CLEANERS, ENTITIES, cpu


def main() -> None:
    texts = standard_library(float(sys.argv[1]) if len(sys.argv) > 1 else 16.0)
    normal = cpu.normalise(texts)
    operations: list[tuple[str, pa.LargeStringArray, Callable[[pa.LargeStringArray], object]]] = [
        ("copy", texts, lambda t: bytes(memoryview(t.buffers()[2]))),
        *((f"clean: {name}", texts, lambda t, name=name: cpu.clean(t, [name])) for name in CLEANERS),
        ("signals", texts, cpu.signals),
        ("redact", texts, lambda t: cpu.redact(t, ENTITIES)),
        ("normalise", texts, cpu.normalise),
        ("digest", normal, lambda t: cpu.digest(t, normalised=True)),
        ("sketch", normal, cpu.sketch),
    ]
    print(f"{len(texts)} texts, {texts.nbytes / 1e6:.1f} MB, one core")
    print(f"{'operation':<20}{'MB/s':>10}{'× copy':>10}")
    bare = 0.0
    for name, column, operation in operations:
        rate = column.nbytes / best_of(3, lambda: operation(column)) / 1e6  # noqa: B023
        bare = bare or rate
        print(f"{name:<20}{rate:>10.0f}{bare / rate:>10.1f}")


def standard_library(megabytes: float) -> pa.LargeStringArray:
    folder = Path(sysconfig.get_paths()["stdlib"])
    texts, size = [], 0.0
    for path in sorted(folder.rglob("*.py")):
        if "site-packages" in path.parts or size > megabytes * 1e6:
            continue
        try:
            texts.append(path.read_text(encoding="utf-8"))
        except UnicodeDecodeError:  # the library's tests hold files in other encodings
            continue
        size += path.stat().st_size
    return pa.array(texts, pa.large_string())


def best_of(times: int, call: Callable[[], object]) -> float:
    call()
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


if __name__ == "__main__":
    main()
