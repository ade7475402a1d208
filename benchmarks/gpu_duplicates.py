"""Keys grouped and clusters found on a device, beside the processor's way; `gpu_curation` calls it.

Both ways read and write the same files, so what is compared is the whole step of one worker, bus and disk included.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import numpy as np

from pipeline.curate.dedup.collisions import group_keys
from pipeline.curate.dedup.components import union_find
from pipeline.curate.dedup.hooking import hooked
from pipeline.curate.dedup.key_tables import Grouping, write_groups
from pipeline.curate.dedup.work import save

__all__ = ["duplicates"]


def duplicates(module: str = "cudf", millions: float = 20.0) -> None:
    """Print what a worker takes for so many million keys, and for as many edges."""
    count = int(millions * 1e6)
    random = np.random.default_rng(0)
    rows = np.arange(count)
    keys = random.integers(0, 2**64, count, np.uint64)
    keys[random.permutation(count)[: count // 10]] = keys[random.permutation(count)[: count // 10]]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        groups = Grouping(tables=(("digest", 1),), folder=folder, name="frames")
        table = np.ones(count, np.int16)

        def frames() -> None:
            write_groups(import_module(module).DataFrame({"key": keys, "table": table, "row": rows}), groups)

        def here() -> None:
            save(folder / "here.npy", group_keys(keys, rows))

        print(f"\n{millions:g} million keys, grouped: {told(module, frames, here)}")
        assert np.array_equal(np.load(groups.paths["digest"]), np.load(folder / "here.npy"))

        ends = random.integers(0, count, (2, count))
        edges = folder / "edges.npy"
        np.save(edges, np.sort(ends[:, ends[0] != ends[1]], axis=0)[::-1])
        found: list[np.ndarray] = []
        step = told(
            module,
            lambda: found.append(hooked([edges], count, folder, lambda run, jobs: [run(job) for job in jobs], module)),
            lambda: found.append(union_find([edges], count)),
        )
        print(f"{millions:g} million edges, clusters: {step}")
        assert np.array_equal(found[0], found[-1])


def told(module: str, there: Callable[[], object], here: Callable[[], object]) -> str:
    seconds = []
    for step in (there, here):
        step()  # what is compiled, is
        begin = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - begin)
    return f"{module} {seconds[0]:.2f} s, one core {seconds[1]:.2f} s"
