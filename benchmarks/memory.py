"""How much memory a worker takes for a part, and whether one enormous row holds up the others.

    python benchmarks/memory.py [MEGABYTES]

A worker is a process that has imported and compiled everything by curating a small part; then the highest resident
memory while it curates one part, above what it took idle, is set against the part's bytes. Linux only: the kernel is
asked to forget the highest mark in between.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import chain
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pyarrow as pa
from pass_one import here, pass_one, recipe_for
from texts import changed_texts, write_rows

from pipeline.cluster import dask_client, run_parts
from pipeline.config import Cluster
from pipeline.run import PartRecord

HUGE = 50_000_000
"""Bytes of the enormous row."""


def main() -> None:
    megabytes = float(sys.argv[1]) if len(sys.argv) > 1 else 32.0
    contents: dict[str, Callable[[], Iterator[str]]] = {
        "files of a library": lambda: changed_texts(megabytes),
        "rows of 200 characters": lambda: short(megabytes),
        "one row of 50 MB, others": lambda: chain(changed_texts(max(megabytes - 50, 1)), [huge("prose")]),
        "one row of 50 MB, no ASCII": lambda: iter([huge("letters beyond ASCII")]),
        "one row of 50 MB, one letter": lambda: iter(["a" * HUGE]),
    }
    print(f"{'a part of':<32}{'MB':>6}{'idle':>8}{'peak':>8}{'(peak - idle) / part':>24}{'seconds':>10}")
    for name, texts in contents.items():
        with tempfile.TemporaryDirectory() as folder:
            size = write_rows(Path(folder) / "rows.jsonl", texts())
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                idle, peak, seconds = pool.submit(one_part, Path(folder)).result()
        ratio = (peak - idle) / size
        print(f"{name:<32}{size / 1e6:>6.0f}{idle / 1e6:>8.0f}{peak / 1e6:>8.0f}{ratio:>24.1f}{seconds:>10.1f}")
    with tempfile.TemporaryDirectory() as folder:
        held_up(Path(folder), megabytes)


def one_part(folder: Path) -> tuple[int, int, float]:
    """Curate a small part, then the rows as one part: resident bytes idle and at most, and seconds."""
    write_rows(folder / "small.jsonl", changed_texts(1))
    for kind in ("code", "text"):
        pass_one(recipe_for(folder / "run", folder / "small.jsonl", part_bytes=1 << 30, kind=kind), run_parts=here)
    pa.default_memory_pool().release_unused()
    Path("/proc/self/clear_refs").write_text("5")  # the highest mark becomes what is resident now
    idle = resident("VmRSS")
    begin = time.perf_counter()
    pass_one(recipe_for(folder / "run", folder / "rows.jsonl", part_bytes=1 << 30), run_parts=here)
    return idle, resident("VmHWM"), time.perf_counter() - begin


def resident(which: str) -> int:
    """A line of `/proc/self/status`, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(which))


def held_up(folder: Path, megabytes: float) -> None:
    """Curate many small parts on two workers, with and without an enormous row among them."""
    plain, mixed = folder / "plain.jsonl", folder / "mixed.jsonl"
    write_rows(plain, changed_texts(megabytes))
    write_rows(mixed, chain([huge("prose")], changed_texts(megabytes)))
    others = {}
    with dask_client(Cluster(workers=2)) as client:
        for path in (plain, plain, mixed):  # the first run loads machine code
            done: list[tuple[float, int]] = []
            begin = time.perf_counter()
            recipe = recipe_for(folder / "run", path, part_bytes=4 << 20)
            pass_one(recipe, client, run_parts=partial(watched, begin, done))
            others[path.stem] = max(seconds for seconds, size in done if size < HUGE)
            whole = max(seconds for seconds, _ in done)
    print(f"\n{megabytes:.0f} MB in parts of 4 MiB on two workers, and one row of 50 MB before them:")
    print(f"the other parts are done after {others['mixed']:.1f} s, all after {whole:.1f} s; ", end="")
    print(f"without the row they are after {others['plain']:.1f} s")


def watched(begin: float, done: list[tuple[float, int]], client: Any, function: Any, jobs: Any, **more: Any) -> Any:
    """`run_parts` that notes when each part was done and how many bytes it had."""

    def note(record: PartRecord) -> None:
        done.append((time.perf_counter() - begin, record.counts["bytes_in"]))

    return run_parts(client, function, jobs, stage=more["stage"], on_done=note)


def short(megabytes: float) -> Iterator[str]:
    for text in changed_texts(megabytes):
        yield from (piece for at in range(0, len(text), 200) if (piece := text[at : at + 200]).strip())


def huge(what: str) -> str:
    if what == "prose":
        return "\n".join(changed_texts(HUGE / 1e6))[:HUGE]
    return "Été à Zürich, 漢字かな。 " * (HUGE // 36)


if __name__ == "__main__":
    main()
