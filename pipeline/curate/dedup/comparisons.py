"""Candidates compared, bucket by bucket, against a bounded number of others: similarities as *edges*.

A bucket is the rows that agree in one band. Its rows are taken best first. Each is compared with the bucket's
*centres*, the rows that were like no centre before them, and if it is like none it becomes one. So rows that are all
alike cost one comparison each. Of rows that are all unlike, the best `CENTRES` become centres; what is like none of
them is compared in finer buckets (`overfull`). The row before is compared too, so that a chain of resemblances is seen
as one cluster.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.curate.dedup.candidates import Sketches
from pipeline.curate.dedup.overfull import finer_buckets
from pipeline.curate.dedup.sorting import distinct, each_pair_once, order_of, places_in
from pipeline.curate.dedup.work import Map, load, save
from pipeline.engines import Engine, engine_for
from pipeline.text.centres import STATE, begin_bucket, compare_row
from pipeline.text.kernel import compiled

__all__ = ["CENTRES", "Agreement", "compare"]

CENTRES = 64
"""Rows of a bucket that others are compared with."""
_FINER = 8
"""Such parts of them are the centres of a finer bucket."""
_BYTES = 1 << 27
"""Sketches in memory at once."""
_ROWS = 1 << 18
"""Rows that an engine is given at once: on a device their edges have room for 0.4 GB."""


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """When two sketches are alike.

    Attributes:
        values: in a sketch.
        needed: how many must be equal for a duplicate.
        joined: how many for a common cluster.
        told: how many from which on every pair is an edge; below, only one that nothing else in its bucket connects.
        fixed: ranks below that survive in any case, so that they are centres in any case.
    """

    values: int
    needed: int
    joined: int
    told: int
    fixed: int = 0

    def array(self) -> NDArray[np.int64]:
        """What `compare_row` takes."""
        return np.array([self.needed, self.joined, self.told, self.fixed])


def compare(
    groups: Sequence[Path],
    state: Path,
    sketches: tuple[Path, tuple[int, ...]],
    agreement: Agreement,
    turn: int,
    folder: Path,
    run: Map,
    *,
    centres: int = CENTRES,
    device: Literal["cpu", "cuda"] = "cpu",
) -> list[Path]:
    """Compare the rows of every bucket.

    Args:
        groups: files of `collisions`, of the bands.
        state: int64 [3, candidates]: row number, rank, and whether to take part: 0 no, 1 yes, 2 yes, and its buckets
            are to be looked at. A bucket without a row of the last kind is passed over.
        sketches: what makes `Sketches`: folder, and the first candidate of every part.
        agreement: of two sketches.
        turn: number of the round, in the names of files.
        folder: for the results.
        run: runs tasks.
        centres: as `CENTRES`.
        device: of the workers, which compares. The edges are the same.

    Returns:
        Files of edges: int64 [3, edges], the worse rank (ascending), the better rank, how many values are equal:
        `joined` or more.
    """
    jobs = [
        _Compare(
            group=group,
            state=state,
            sketches=sketches,
            agreement=agreement,
            centres=centres,
            path=folder / f"edges-{turn:02d}-{group.name}",
            device=device,
        )
        for group in groups
    ]
    run(compare_group, jobs)
    return [job.path for job in jobs]


@dataclass(frozen=True, kw_only=True)
class _Compare:
    group: Path
    state: Path
    sketches: tuple[Path, tuple[int, ...]]
    agreement: Agreement
    centres: int
    path: Path
    device: Literal["cpu", "cuda"]


def compare_group(job: _Compare) -> None:
    """Compare the rows of the buckets in one file."""
    if job.path.exists():
        return
    bucket, row = load(job.group)
    rows, rank, part = load(job.state)
    candidate = places_in(rows, row)
    bucket, candidate = _taking_part(bucket, candidate, part[candidate])
    order = order_of(bucket, rank[candidate])
    bucket, candidate = bucket[order], candidate[order]
    folder, starts = job.sketches
    sketches = Sketches(folder, starts, job.agreement.values)
    engine = engine_for(job.device) if job.device == "cuda" else None
    edges, over = _search(bucket, candidate, rank, sketches, job.agreement, job.centres, engine)
    found = [edges]
    for finer in finer_buckets(bucket[over], candidate[over], sketches):
        buckets, rows = _taking_part(*finer, part[finer[1]])
        found.append(_search(buckets, rows, rank, sketches, job.agreement, max(1, job.centres // _FINER), engine)[0])
    save(job.path, each_pair_once(np.concatenate(found, axis=1)))


def _search(
    bucket: NDArray[np.int64],
    candidate: NDArray[np.int64],
    rank: NDArray[np.int64],
    sketches: Sketches,
    agreement: Agreement,
    width: int,
    engine: Engine | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Edges of rows in the order of (bucket, rank), and which of them the centres leave over: bool [rows].

    An engine takes whole buckets, many at a time; one of more rows than it is given at once is searched here.
    """
    if engine is None:
        return _search_here(bucket, candidate, rank, sketches, agreement, width)
    found, over = [np.zeros((3, 0), dtype=np.int64)], np.zeros(len(bucket), np.bool_)
    rows = min(_ROWS, _at_once(agreement))
    for bounds in _whole_buckets(bucket, rows):
        here = slice(bounds[0], bounds[-1])
        if bounds[-1] - bounds[0] > rows:
            edges, over[here] = _search_here(bucket[here], candidate[here], rank, sketches, agreement, width)
        else:
            different, place = distinct(candidate[here])
            ranks, values = rank[candidate[here]], sketches[different]
            edges, over[here] = engine.compare_buckets(
                bounds - bounds[0], ranks, place, values, agreement.array(), width
            )
        found.append(edges)
    return np.concatenate(found, axis=1), over


def _whole_buckets(bucket: NDArray[np.int64], rows: int) -> Iterator[NDArray[np.int64]]:
    """The first rows of buckets, and the end of the last, of so many rows together, or of one bucket of more."""
    bounds = np.flatnonzero(np.diff(bucket, prepend=-1, append=-1))
    at = 0
    while at + 1 < len(bounds):
        end = max(int(np.searchsorted(bounds, bounds[at] + rows, "right")) - 1, at + 1)
        yield bounds[at : end + 1]
        at = end


def _at_once(agreement: Agreement) -> int:
    """Rows whose sketches are in memory at once."""
    return max(1, _BYTES // (4 * agreement.values))


def _search_here(
    bucket: NDArray[np.int64],
    candidate: NDArray[np.int64],
    rank: NDArray[np.int64],
    sketches: Sketches,
    agreement: Agreement,
    width: int,
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """As `_search`, on this processor."""
    found = [np.zeros((3, 0), dtype=np.int64)]
    over = np.zeros(len(bucket), np.bool_)
    # What the kernel remembers of the bucket that a batch may end in.
    current, state = np.full(1, -1), np.zeros(STATE, np.int64)
    kept, last = np.zeros((width, agreement.values), np.uint32), np.zeros(agreement.values, np.uint32)
    names, joins = np.zeros(width, np.int64), np.zeros(width, np.int64)
    step = _at_once(agreement)
    for start in range(0, len(bucket), step):
        here = slice(start, start + step)
        rows, place = distinct(candidate[here])
        found.append(
            _edges(  # type: ignore[no-untyped-call]
                np.ascontiguousarray(bucket[here]),
                rank[candidate[here]],
                place,
                sketches[rows],
                agreement.array(),
                current,
                state,
                kept,
                names,
                joins,
                last,
                over[here],
            )
        )
    return np.concatenate(found, axis=1), over


def _taking_part(
    bucket: NDArray[np.int64], candidate: NDArray[np.int64], part: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Only rows that take part, in buckets that are to be looked at and hold two of them."""
    here = part > 0
    bucket, candidate, part = bucket[here], candidate[here], part[here]
    if not len(bucket):
        return bucket, candidate
    size = np.bincount(bucket)
    wanted = np.zeros(len(size), dtype=np.bool_)
    wanted[bucket[part == 2]] = True
    here = ((size > 1) & wanted)[bucket]
    return bucket[here], candidate[here]


@compiled
def _edges(  # type: ignore[no-untyped-def]
    bucket, rank, place, sketches, agreement, current, state, kept, names, joins, last, over
):
    """Edges of rows in the order of (bucket, rank); what begins with `current` outlasts a batch.

    Args:
        bucket: int64 [rows].
        rank: int64 [rows].
        place: int64 [rows], the row's sketch in
        sketches: uint32 [distinct, values].
        agreement: as of `compare_row`, and so are the others.
        current: int64 [1], the bucket that the last row was in.
        state: int64 [STATE].
        kept: uint32 [centres, values].
        names: int64 [centres].
        joins: int64 [centres].
        last: uint32 [values].
        over: bool [rows], set where the row would be a centre, were there room for one more.
    """
    edges = np.empty((3, 2 * len(bucket) + 2 * len(names)), dtype=np.int64)
    count = 0
    for i in range(len(bucket)):
        if bucket[i] != current[0]:
            current[0] = bucket[i]
            begin_bucket(state)
        if count + state[0] + 1 > edges.shape[1]:
            more = np.empty((3, 2 * edges.shape[1]), dtype=np.int64)
            more[:, :count] = edges[:, :count]
            edges = more
        mine, worse, better, equal = sketches[place[i]], edges[0], edges[1], edges[2]
        count += compare_row(mine, rank[i], agreement, state, kept, names, joins, last, worse, better, equal, count)
        over[i] = state[3] != 0
    return edges[:, :count].copy()
