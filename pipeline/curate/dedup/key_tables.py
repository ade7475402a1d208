"""Rows that share a key, found on GPU workers: key tables as data frames, brought together by Dask's shuffle.

`collisions` does the same with files and NumPy. What is found is the same, whichever library holds the frames: only
what pandas and cuDF have in common is called, so the tests run this code with pandas.

The shuffle is Dask's by tasks: frames go from worker to worker as they are. Its default where a client is there, P2P,
would take them through Arrow tables on the disks of hosts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.cluster import run_graph
from pipeline.config import Recipe
from pipeline.curate.dedup.collisions import KINDS, Part, Scheme, tables_of
from pipeline.curate.dedup.work import save
from pipeline.engines import engine_for
from pipeline.gpus import choose

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["SHUFFLE", "Frames", "Grouping", "frames_for", "shuffled_collisions", "write_groups"]

SHUFFLE = "tasks"
"""The method of Dask's shuffle."""
_ENTRIES = 1 << 26
"""Keys of a partition: 1.1 GB, and about five times that at work."""
_MOST = 2**31 - 1
"""Rows of a cuDF column."""


@dataclass(frozen=True)
class Frames:
    """Where key tables are frames.

    Attributes:
        module: that holds them.
        client: of workers on which it is.
        entries: keys of a partition, in number and never as a share of a card.
        most: keys that are shuffled at a time: even one partition can take them all.
    """

    module: Literal["cudf", "pandas"]
    client: Callable[[], Client]
    entries: int = _ENTRIES
    most: int = _MOST

    @property
    def device(self) -> Literal["cuda", "cpu"]:
        """What computes their keys."""
        return "cuda" if self.module == "cudf" else "cpu"

    def hold(self, rows: int) -> bool:
        """Whether a table of so many rows can be a column."""
        return rows <= self.most


def frames_for(recipe: Recipe, client: Callable[[], Client]) -> Frames | None:
    """Frames of cuDF where all workers curate on GPUs, else None.

    Local workers are what this machine can have; those of a cluster that is joined are asked.

    Raises:
        MachineError: the recipe wants GPUs, and one of them has none.
    """
    device = recipe.curates_on
    if device == "cpu":
        return None
    answers = client().run(device_of, device).values() if recipe.cluster.joined else [device_of(device)]
    return Frames("cudf", client) if all(answer == "cuda" for answer in answers) else None


def device_of(device: str) -> str:
    """What curates where this runs."""
    return choose(device).device


def shuffled_collisions(parts: Sequence[Part], scheme: Scheme, folder: Path, frames: Frames) -> dict[str, list[Path]]:
    """Find the rows that share a key; as `collisions.collisions`.

    Args:
        parts: all rows, which `frames` can hold.
        scheme: the tables.
        folder: for the files.
        frames: that hold the keys.
    """
    found: dict[str, list[Path]] = {kind: [] for kind in KINDS}
    total = sum(part.rows for part in parts)
    tables = [(kind, number) for kind, numbers in scheme.tables(1) for number in numbers]
    at_once = max(1, frames.most // max(1, total))
    for low in range(0, len(tables), at_once) if total else ():
        chosen = tables[low : low + at_once]
        workers = len(frames.client().scheduler_info(n_workers=-1)["workers"])
        count = max(-(-total * len(chosen) // frames.entries), workers, 1)
        jobs = [
            Grouping(tables=tuple(chosen), folder=folder / "shuffled", name=f"{low:03d}-{count:05d}-{partition:05d}")
            for partition in range(count)
        ]
        if not all(path.exists() for job in jobs for path in job.paths.values()):
            _shuffle(parts, scheme, range(low, low + len(chosen)), jobs, frames)
        for job in jobs:
            for kind, path in job.paths.items():
                found[kind].append(path)
    return found


@dataclass(frozen=True, kw_only=True)
class Grouping:
    """One partition: its tables, and where their groups go, in files of names that no others have."""

    tables: tuple[tuple[str, int], ...]
    folder: Path
    name: str

    @property
    def paths(self) -> dict[str, Path]:
        """Kind of keys → the file of its groups: int64 [2, entries], as of `collisions`."""
        return {
            kind: self.folder / f"{kind}-{self.name}.npy" for kind in dict.fromkeys(kind for kind, _ in self.tables)
        }


def _shuffle(parts: Sequence[Part], scheme: Scheme, tables: range, jobs: Sequence[Grouping], frames: Frames) -> None:
    """Bring the keys of some tables together, and write the groups of every partition."""
    import pandas as pd  # type: ignore[import-untyped]
    from dask import dataframe as dd
    from dask.delayed import delayed

    # The process that leads may be on a machine without a GPU: to it frames are pandas'.
    meta = pd.DataFrame({"key": np.zeros(0, np.uint64), "table": np.zeros(0, np.int16), "row": np.zeros(0, np.int64)})
    keys = dd.from_map(  # type: ignore[no-untyped-call]
        keys_of_parts,
        list(_dealt(parts, len(jobs))),
        meta=meta,
        scheme=scheme,
        tables=tables,
        module=frames.module,
        device=frames.device,
    )
    # One stage, however many partitions: more would send every key more than once, and there are few.
    shuffled = keys.shuffle(
        "key", npartitions=len(jobs), shuffle_method=SHUFFLE, ignore_index=True, max_branch=len(jobs)
    )
    write = delayed(write_groups)
    graph = [write(frame, job) for frame, job in zip(shuffled.to_delayed(), jobs, strict=True)]
    run_graph(frames.client(), graph, stage="duplicates")


def _dealt(parts: Sequence[Part], count: int) -> Iterator[tuple[Part, ...]]:
    """The parts in `count` runs of about as many rows each, none of them empty."""
    ends = np.cumsum([part.rows for part in parts])
    share = np.minimum((ends - 1) * count // max(1, int(ends[-1])), count - 1)
    for low, high in pairwise([0, *(np.flatnonzero(np.diff(share)) + 1).tolist(), len(parts)]):
        yield tuple(parts[low:high])


def keys_of_parts(parts: Sequence[Part], *, scheme: Scheme, tables: range, module: str, device: str) -> Any:
    """The keys of some parts as a frame: `key`, `table` and `row`, counted over all parts."""
    engine = engine_for(device)
    key, table, row = [np.zeros(0, np.uint64)], [np.zeros(0, np.int16)], [np.zeros(0, np.int64)]
    for part in parts:
        for number, (keys, rows) in enumerate(tables_of(part, scheme, engine)):
            if number in tables:
                key.append(keys)
                table.append(np.full(len(keys), number, np.int16))
                row.append(part.start + rows.astype(np.int64))
    columns = {"key": np.concatenate(key), "table": np.concatenate(table), "row": np.concatenate(row)}
    return import_module(module).DataFrame(columns)


def write_groups(frame: Any, job: Grouping) -> None:
    """Write the groups of rows that share a key of one table, a file a kind."""
    shared = frame[frame.duplicated(subset=["key", "table"], keep=False)].sort_values(["table", "key", "row"])
    key, table, row = (shared[name].to_numpy() for name in ("key", "table", "row"))
    for kind, path in job.paths.items():
        numbers = [number for name, number in job.tables if name == kind]
        here = slice(*np.searchsorted(table, [numbers[0], numbers[-1] + 1]))
        save(path, np.stack([_numbered(key[here], table[here]), row[here]]))


def _numbered(key: NDArray[np.uint64], table: NDArray[np.int16]) -> NDArray[np.int64]:
    """The number of each key's group, where the keys of a group stand together: int64 [keys]."""
    if not len(key):
        return np.zeros(0, np.int64)
    first = (key[1:] != key[:-1]) | (table[1:] != table[:-1])
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(first)])
