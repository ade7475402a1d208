"""How time and memory of finding duplicates grow with the number of rows: synthetic keys on two Dask workers.

    python benchmarks/duplicates_growth.py [--steps] [--shuffle] [MILLIONS …]        0.2 1 5 unless given

`--steps` shows what each step took as well: seconds by the clock, of processors in the program and in the system.
`--shuffle` only finds the rows that share a key, by files and by Dask's shuffle of data frames (pandas), and compares.

One row in five is a near copy of an earlier one (106 of 128 values or more are equal), one in twenty an exact copy. The
exponent is that of a line through the logarithms of processor seconds over all processes. Memory is the largest sum,
over those processes, of what they hold themselves (anonymous), of the files that they have mapped (the kernel's to
drop; a file that three have mapped counts three times), and of both (resident). A few rows go first, so that nothing is
compiled while the clock runs.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from distributed import Client
from numpy.typing import NDArray

from pipeline.cluster import dask_client, run_parts
from pipeline.config import Cluster, Dedup, Fuzzy
from pipeline.curate.dedup.collisions import Part, Scheme, collisions
from pipeline.curate.dedup.decide import bands_of, decide
from pipeline.curate.dedup.key_tables import Frames, shuffled_collisions
from pipeline.curate.dedup.work import load
from pipeline.curate.keys import sketch_column
from pipeline.mixing import keyed as mix

VALUES = Fuzzy().sketch
PART = 100_000


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("millions", type=float, nargs="*", default=[0.2, 1, 5])
    ask.add_argument("--steps", action="store_true")
    ask.add_argument("--shuffle", action="store_true")
    options = ask.parse_args()
    sizes = [int(size * 1e6) for size in options.millions]
    if options.shuffle:
        for rows in sizes:
            beside_shuffle(rows)
        return
    measured(10_000, {})
    names = ("rows", "removed", "wall s", "CPU s", "µs a row", "anonymous", "mapped", "resident")
    print("".join(f"{name:>{width}}" for name, width in zip(names, (12, 12, 10, 10, 10, 12, 12, 12), strict=True)))
    seconds = []
    for rows in sizes:
        steps: dict[str, np.ndarray] = {}
        removed, watch = measured(rows, steps)
        wall, cpu = watch.wall, watch.cpu
        seconds.append(cpu)
        print(
            f"{rows:>12,}{removed:>12,}{wall:>10.1f}{cpu:>10.1f}{cpu / rows * 1e6:>10.1f}"
            f"{watch.anonymous / 1e9:>9.2f} GB{watch.mapped / 1e9:>9.2f} GB{watch.resident / 1e9:>9.2f} GB",
            flush=True,
        )
        for name, took in steps.items() if options.steps else ():
            print(f"{name:>24}" + "".join(f"{value:>10.1f}" for value in took), flush=True)
    if len(sizes) > 1:
        print(f"processor seconds grow as n^{np.polyfit(np.log(sizes), np.log(seconds), 1)[0]:.3f}")


def measured(rows: int, steps: dict[str, np.ndarray]) -> tuple[int, Watch]:
    """Rows removed, and what that took.

    What each step takes is added to `steps`.
    """
    with written(rows) as (client, folder, parts):

        def run(function: Callable[[Any], Any], jobs: Sequence[Any]) -> list[Any]:
            began = clocks()
            done = run_parts(client, function, jobs, stage="duplicates")
            steps[function.__name__] = steps.get(function.__name__, np.zeros(3)) + clocks() - began
            return done

        began = clocks()
        with Watch() as watch:
            done = decide(parts, Dedup(), folder / "work", run, few=0)
        steps["between the steps"] = clocks() - began - sum(steps.values(), np.zeros(3))
        return int(done.removed.sum()), watch


def beside_shuffle(rows: int) -> None:
    """Print what finding the rows that share a key takes by files, and by a shuffle."""
    bands, values = bands_of(Fuzzy())
    scheme = Scheme(exact=True, values=VALUES, bands=bands, rows=values)
    with written(rows) as (client, folder, parts):
        run = partial(run_parts, client, stage="duplicates")
        frames = Frames("pandas", lambda: client)
        ways: dict[str, Callable[[int], dict[str, list[Path]]]] = {
            "files": lambda number: collisions(parts, scheme, folder / f"files-{number}", run),
            "shuffle": lambda number: shuffled_collisions(parts, scheme, folder / f"frames-{number}", frames),
        }
        found = []
        for name, step in ways.items():
            step(0)  # what is compiled, is
            with Watch() as watch:
                groups = step(1)
            found.append({kind: sum(load(path).shape[1] for path in paths) for kind, paths in groups.items()})
            print(
                f"{rows:>12,} rows by {name:<8}{watch.wall:>8.1f} s{watch.cpu:>8.1f} processor s"
                f"{watch.anonymous / 1e9:>8.2f} GB",
                flush=True,
            )
        assert found[0] == found[1]


@contextlib.contextmanager
def written(rows: int) -> Iterator[tuple[Client, Path, list[Part]]]:
    """Yield two workers, a folder, and the keys of so many rows in it."""
    folder = Path(tempfile.mkdtemp(prefix="growth-"))
    try:
        with dask_client(Cluster(workers=2)) as client:
            (folder / "keys").mkdir()
            parts = [
                Part(path=folder / f"keys/part-{number:05d}.parquet", start=start, rows=min(PART, rows - start))
                for number, start in enumerate(range(0, rows, PART))
            ]
            run_parts(client, write_keys, parts, stage="keys")
            yield client, folder, parts
    finally:
        shutil.rmtree(folder)


def write_keys(part: Part) -> None:
    """Keys of some rows; what a row is like depends on its number only."""
    number = np.arange(part.start, part.start + part.rows, dtype=np.uint64)
    draw = mix(number)
    near, exact = draw % 20 < 4, draw % 20 == 4
    origin: NDArray[np.uint64] = np.where((near | exact) & (number > 0), mix(draw) % np.maximum(number, 1), number)
    places = np.add.outer(origin * np.uint64(VALUES), np.arange(VALUES, dtype=np.uint64))
    flat = mix(places.reshape(-1))
    sketches = (flat >> np.uint64(33)).astype(np.uint32).reshape(-1, VALUES)
    changed = mix(draw + np.uint64(1))[:, None] * np.arange(1, 23, dtype=np.uint64) % np.uint64(VALUES)
    rows = np.flatnonzero(near)
    sketches[rows[:, None], changed[rows].astype(np.int64)] = mix(draw[rows])[:, None].astype(np.uint32)
    digests = np.column_stack([mix(np.where(near, number, origin)), np.where(near, number, origin)])
    table = pa.table(
        {
            "id": pa.array(np.char.add("source/shard.jsonl#", number.astype(str))),
            "priority": np.zeros(part.rows, np.int32),
            "length": (draw % 5000).astype(np.int64),
            "digest": pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), part.rows, [None, pa.py_buffer(digests)]),
            "sketch": sketch_column(sketches),
        }
    )
    pq.write_table(table, part.path, compression="none", use_dictionary=False)


class Watch:
    """Seconds (`wall`, `cpu`) and peaks of bytes of this process and its children between enter and exit."""

    def __enter__(self) -> Watch:
        self.anonymous = self.mapped = self.resident = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._cpu, self._began = clocks()[1:].sum(), time.perf_counter()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self.cpu, self.wall = clocks()[1:].sum() - self._cpu, time.perf_counter() - self._began

    def _sample(self) -> None:
        while not self._stop.wait(0.1):
            memory = asked(psutil.Process.memory_info)
            resident, mapped = (sum(getattr(one, name) for one in memory) for name in ("rss", "shared"))
            self.resident = max(self.resident, resident)
            self.mapped = max(self.mapped, mapped)
            self.anonymous = max(self.anonymous, resident - mapped)


def tree() -> list[psutil.Process]:
    """This process and those that it has started."""
    me = psutil.Process()
    return [me, *me.children(recursive=True)]


def asked(what: Callable[[psutil.Process], Any]) -> list[Any]:
    """What processes of the tree answer; one that ends while it is asked does not."""
    found = []
    for process in tree():
        with contextlib.suppress(psutil.NoSuchProcess):
            found.append(what(process))
    return found


def clocks() -> np.ndarray:
    """Seconds by the clock, and of all processes in the program and in the system: float64 [3]."""
    return np.array([time.perf_counter(), *np.sum([times[:2] for times in asked(psutil.Process.cpu_times)], axis=0)])


if __name__ == "__main__":
    main()
