"""Rows that share a key with another: what ranks them, and their sketches, in files that any task can map.

The *rank* of a candidate is its place in the survivor order, which is total: it depends on no part, worker or order of
rows. What earlier batches kept comes before the run's own rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.config import Dedup
from pipeline.curate.dedup.collisions import Part, digests_of, hashes_of, sketches_of
from pipeline.curate.dedup.work import Map, load, load_table, save, save_table
from pipeline.curate.parquet import read_parquet
from pipeline.errors import InputError

__all__ = ["Candidates", "Sketches", "gather"]


@dataclass(frozen=True, kw_only=True)
class Candidates:
    """The rows that share a key, by row number.

    Attributes:
        rows: int64 [n], ascending.
        rank: int64 [n], 0…n - 1, the best first.
        ids: string [n].
        check: uint64 [n, 2], a second hash of the digest and of the sketch, to tell accidents from collisions.
        cluster: uint64 [n], the number that the row's cluster has if the row is its best.
        earlier: how many come from the index; they have the ranks below that.
    """

    rows: NDArray[np.int64]
    rank: NDArray[np.int64]
    ids: pa.Array
    check: NDArray[np.uint64]
    cluster: NDArray[np.uint64]
    earlier: int


class Sketches:
    """The sketches of the candidates, read from the files of all parts as they are asked for."""

    def __init__(self, folder: Path, starts: Sequence[int], values: int) -> None:
        """`starts[part]` is the number of the part's first candidate; one more for the end."""
        self.values = values
        self._starts = np.asarray(starts)
        self._files = [
            load(folder / f"sketches-{part:05d}.npy") if end > start else np.zeros((0, values), np.uint32)
            for part, (start, end) in enumerate(pairwise(starts))
        ]

    def __getitem__(self, candidates: NDArray[np.int64]) -> NDArray[np.uint32]:
        """The sketches of some candidates, numbers ascending: uint32 [candidates, values]."""
        return self.places(candidates, slice(0, self.values))

    def places(self, candidates: NDArray[np.int64], places: slice) -> NDArray[np.uint32]:
        """Some places of the sketches of some candidates, numbers ascending: uint32 [candidates, places]."""
        found = np.empty((len(candidates), len(range(self.values)[places])), dtype=np.uint32)
        bounds = np.searchsorted(candidates, self._starts)
        for part in np.flatnonzero(np.diff(bounds)):
            here = slice(bounds[part], bounds[part + 1])
            found[here] = self._files[part][candidates[here] - self._starts[part], places]
        return found


def gather(
    parts: Sequence[Part],
    groups: Mapping[str, Sequence[Path]],
    dedup: Dedup,
    folder: Path,
    run: Map,
) -> Candidates:
    """Collect what is known of the rows in any of the groups.

    Args:
        parts: all rows.
        groups: files of `collisions`, by the kind of keys.
        dedup: the order, and whether there are sketches.
        folder: for the files between the steps; `Sketches` reads them.
        run: runs tasks.

    Raises:
        InputError: two rows of the run have one id.
    """
    total = sum(part.rows for part in parts)
    shared = np.zeros(total, dtype=np.bool_)
    for path in chain.from_iterable(groups.values()):
        shared[load(path)[1]] = True
    rows = np.flatnonzero(shared)
    bounds = [*np.searchsorted(rows, [part.start for part in parts]).tolist(), len(rows)]
    jobs = [
        _Gather(part=part, number=number, rows=rows[start:end] - part.start, dedup=dedup, folder=folder)
        for number, (part, start, end) in enumerate(zip(parts, bounds, bounds[1:], strict=False))
        if end > start
    ]
    run(gather_part, jobs)
    tables = [load_table(job.path) for job in jobs]
    table = pa.concat_tables(tables).combine_chunks() if tables else None
    if table is None:
        nothing = np.zeros(0, np.int64)
        return Candidates(
            rows=nothing,
            rank=nothing,
            ids=pa.array([], pa.string()),
            check=np.zeros((0, 2), np.uint64),
            cluster=nothing.astype(np.uint64),
            earlier=0,
        )
    order = pc.sort_indices(table, sort_keys=_sort_keys(dedup)).to_numpy()
    rank = np.empty(len(rows), dtype=np.int64)
    rank[order] = np.arange(len(rows))
    named = np.unique(np.concatenate([np.zeros(0, np.int64), *(load(path)[1] for path in groups["id"])]))
    if len(named):
        _check_ids(table.take(pa.array(np.searchsorted(rows, named))))
    return Candidates(
        rows=rows,
        rank=rank,
        ids=table["id"].combine_chunks(),
        check=np.column_stack([table["digest"].to_numpy(), table["sketch"].to_numpy()]),
        cluster=table["cluster"].to_numpy(),
        earlier=int((table["batch"].to_numpy() < _OWN).sum()),
    )


_OWN = np.iinfo(np.int32).max
"""The batch of the run's own rows: after all others."""


def _sort_keys(dedup: Dedup) -> list[tuple[str, str]]:
    keys = [("batch", "ascending")]
    for by in dedup.order:
        if isinstance(by, str):
            keys.append((by, "ascending" if by == "id" else "descending"))
        else:
            keys.append((by.signal, "descending" if by.largest else "ascending"))
    return keys


def _check_ids(table: pa.Table) -> None:
    """Refuse rows of one id; the table's are those whose ids have one hash."""
    own = table["id"].filter(pc.equal(table["batch"], _OWN))
    counts = own.value_counts()
    double = counts.filter(pc.greater(counts.field("counts"), 1))
    if len(double):
        first = min(double.field("values").to_pylist())
        raise InputError(
            f"{len(double)} ids are given to more than one row, {first[:200]!r} among them",
            where="keys",
            mend="give every source a name of its own, and every shard a path of its own below its source",
        )


@dataclass(frozen=True, kw_only=True)
class _Gather:
    part: Part
    number: int
    rows: NDArray[np.int64]
    dedup: Dedup
    folder: Path

    @property
    def path(self) -> Path:
        return self.folder / f"order-{self.number:05d}.arrow"


def gather_part(job: _Gather) -> None:
    """Write what ranks the candidates of one part, and their sketches."""
    if job.path.exists():
        return
    take = pa.array(job.rows)
    own = job.part.batch < 0
    named = [by for by in job.dedup.order if isinstance(by, str) and by != "id"] if own else ["cluster"]
    sketched = ["sketch"] if job.dedup.fuzzy else []
    whole = job.part.read(["id", "digest", *named, *sketched])
    table = whole.select(["id", "digest", *named]).take(take)
    digests = digests_of(table["digest"])
    columns = {"id": table["id"], "digest": digests[:, 1], "sketch": np.zeros(len(take), np.uint64)}
    if job.dedup.fuzzy:
        sketches = sketches_of(whole["sketch"], job.dedup.fuzzy.sketch)[job.rows]
        columns["sketch"] = hashes_of(sketches)[:, 1]
        save(job.folder / f"sketches-{job.number:05d}.npy", sketches)
    columns["batch"] = pa.repeat(pa.scalar(_OWN if own else job.part.batch, pa.int32()), len(take))
    columns["cluster"] = digests[:, 0] if own else table["cluster"]
    for by in job.dedup.order:
        if by != "id":
            name = by if isinstance(by, str) else by.signal
            # Rows of the index have their batch and id only.
            values = pa.repeat(pa.scalar(0.0), len(take))
            if own:
                values = table[name] if isinstance(by, str) else _signal(job.part, name).take(take)
            columns[name] = values.cast(pa.float64())
    save_table(job.path, pa.table(columns))


def _signal(part: Part, name: str) -> pa.ChunkedArray:
    """A signal of all rows of the part."""
    assert part.documents is not None
    try:
        return read_parquet(part.documents, [name])[name]
    except KeyError:
        raise InputError(
            f"the rows have no signal {name!r}", where="curate.dedup.order", mend="name one that this recipe measures"
        ) from None
