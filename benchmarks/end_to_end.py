"""Clean, signals, redact, sketch, JSONL in and Parquet out, on all cores, beside a bare copy of the same rows.

    python benchmarks/end_to_end.py [MEGABYTES]

By default there are two parts a core, of their default size. The bare copy is pyarrow: it reads the JSONL and writes
Parquet with zstd, in one process with its own threads, and cut into the same parts over as many processes as there
are cores. Ours is the stage `documents`, its look at the sources, its three files a part, their checksums and fsync
included: on a local Dask cluster, and on a plain pool of processes, so that what orchestration costs can be seen.
Files lie on the disk, then in memory (`/dev/shm`, where there is one). Contenders take turns and each counts with its
best of three. Last, the processor's time that one process takes for either: what else runs on the machine is hardly
in it.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import pyarrow as pa
import pyarrow.json as pj
import pyarrow.parquet as pq
from pass_one import here, on, pass_one, recipe_for
from texts import best_of_each, changed_texts, write_rows

from pipeline.cluster import dask_client
from pipeline.config import Cluster, Ingest, Recipe
from pipeline.ingest import Block, plan_parts, survey

PART = Ingest().part_bytes
BLOCK = 8 << 20
"""Bytes that a thread of pyarrow's reads at once: its default of 1 MiB is slower."""


def main() -> None:
    cores = len(os.sched_getaffinity(0))
    megabytes = float(sys.argv[1]) if len(sys.argv) > 1 else 128.0 * cores
    for place, folder in (("disk", None), ("memory", "/dev/shm")):
        if folder is None or os.path.isdir(folder):
            with tempfile.TemporaryDirectory(dir=folder) as temporary:
                compare(Path(temporary), place, megabytes, cores)


def compare(folder: Path, place: str, megabytes: float, cores: int) -> None:
    rows = folder / "rows.jsonl"
    size = write_rows(rows, changed_texts(megabytes))
    recipe = recipe_for(folder / "run", rows, part_bytes=PART)
    parts = plan_parts([survey(recipe.sources[0], part_bytes=PART)], PART)
    with (
        dask_client(Cluster(workers=cores)) as client,
        ProcessPoolExecutor(cores, mp_context=get_context("spawn")) as pool,
    ):
        calls: dict[str, Callable[[], object]] = {
            "copy: pyarrow, threads": partial(copy_whole, rows, folder / "copy.parquet"),
            "copy: parts on all cores": lambda: list(pool.map(partial(copy_part, folder), parts)),
            "pass one: Dask": partial(pass_one, recipe, client),
            "pass one: processes": partial(pass_one, recipe, run_parts=on(pool)),
        }
        best_of_each(1, calls)  # loads modules and machine code
        seconds = best_of_each(3, calls)
        copied, curated = pool.submit(one_process, folder, recipe, parts).result()
    print(f"{size / 1e6:.0f} MB of JSONL, {len(parts)} parts, {cores} cores, files in {place}")
    print(f"{'':<28}{'MB/s':>8}{'of the copy (threads)':>24}{'of the copy (parts)':>22}")
    threads, cut = seconds["copy: pyarrow, threads"], seconds["copy: parts on all cores"]
    for name, taken in seconds.items():
        print(f"{name:<28}{size / taken / 1e6:>8.0f}{threads / taken:>24.2f}{cut / taken:>22.2f}")
    per_megabyte = f"{1e9 * copied / size:.1f} and {1e9 * curated / size:.1f} ms of one processor for a megabyte"
    print(f"copy and pass one, one process: {per_megabyte}: {copied / curated:.2f}")


def one_process(folder: Path, recipe: Recipe, parts: Sequence[tuple[Block, ...]]) -> tuple[float, float]:
    """Seconds of the processor that the copy and pass one take for all parts, one after another in this process."""
    calls: dict[str, Callable[[], object]] = {
        "copy": partial(copy_parts, folder, parts),
        "pass one": partial(pass_one, recipe, run_parts=here),
    }
    best_of_each(1, calls)
    seconds = best_of_each(3, calls, time.process_time)
    return seconds["copy"], seconds["pass one"]


def copy_whole(rows: Path, target: Path) -> None:
    """Read JSONL and write Parquet, in one process with pyarrow's threads."""
    table = pj.read_json(rows, pj.ReadOptions(block_size=BLOCK))
    pq.write_table(table, target, compression="zstd")


def copy_parts(folder: Path, parts: Sequence[tuple[Block, ...]]) -> None:
    """Copy part after part."""
    for part in parts:
        copy_part(folder, part)


def copy_part(folder: Path, blocks: tuple[Block, ...]) -> None:
    """Read the lines of one part and write them as Parquet, in one thread."""
    pa.set_cpu_count(1)
    (block,) = blocks
    with open(block.location, "rb") as stream:
        stream.seek(block.offset)
        data = pa.BufferReader(stream.read(block.length))
    table = pj.read_json(data, pj.ReadOptions(use_threads=False, block_size=block.length + 1))
    pq.write_table(table, folder / f"copy-{block.offset}.parquet", compression="zstd")


if __name__ == "__main__":
    main()
