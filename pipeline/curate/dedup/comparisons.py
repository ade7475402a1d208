"""Candidates compared, bucket by bucket, against a bounded number of others: similarities as *edges*.

A bucket is the rows that agree in one band. Its rows are taken best first. Each is compared with the bucket's
*centres*, the rows that were like no centre before them, and if it is like none it becomes one. So rows that are all
alike cost one comparison each. Of rows that are all unlike, the best `CENTRES` become centres; what is like none of
them is compared in finer buckets (`overfull`). The row before is compared too, so that a chain of resemblances is seen
as one cluster.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.curate.dedup.candidates import Sketches
from pipeline.curate.dedup.overfull import finer_buckets
from pipeline.curate.dedup.sorting import distinct, each_pair_once, order_of, places_in
from pipeline.curate.dedup.work import Map, load, save

__all__ = ["CENTRES", "Agreement", "compare"]

CENTRES = 64
"""Rows of a bucket that others are compared with."""
_FINER = 8
"""Such parts of them are the centres of a finer bucket."""
_BYTES = 1 << 27
"""Sketches in memory at once."""


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
    edges, over = _search(bucket, candidate, rank, sketches, job.agreement, job.centres)
    found = [edges]
    for finer in finer_buckets(bucket[over], candidate[over], sketches):
        buckets, rows = _taking_part(*finer, part[finer[1]])
        found.append(_search(buckets, rows, rank, sketches, job.agreement, max(1, job.centres // _FINER))[0])
    save(job.path, each_pair_once(np.concatenate(found, axis=1)))


def _search(
    bucket: NDArray[np.int64],
    candidate: NDArray[np.int64],
    rank: NDArray[np.int64],
    sketches: Sketches,
    agreement: Agreement,
    width: int,
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Edges of rows in the order of (bucket, rank), and which of them the centres leave over: bool [rows]."""
    found = [np.zeros((3, 0), dtype=np.int64)]
    over = np.zeros(len(bucket), np.bool_)
    # What the kernel remembers of the bucket that a batch may end in.
    memory = np.array([-1, 0, -1, -1], dtype=np.int64)
    kept, last = np.zeros((width, agreement.values), np.uint32), np.zeros(agreement.values, np.uint32)
    names, joins = np.zeros(width, np.int64), np.zeros(width, np.int64)
    step = max(1, _BYTES // (4 * agreement.values))
    for start in range(0, len(bucket), step):
        here = slice(start, start + step)
        rows, place = distinct(candidate[here])
        found.append(
            _edges(
                np.ascontiguousarray(bucket[here]),
                rank[candidate[here]],
                place,
                sketches[rows],
                np.array([agreement.needed, agreement.joined, agreement.told, agreement.fixed]),
                memory,
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


@njit(cache=True, nogil=True)
def _agreeing(a, b):  # type: ignore[no-untyped-def]
    equal = 0
    for k in range(len(a)):
        equal += a[k] == b[k]
    return equal


@njit(cache=True, nogil=True)
def _copy(source, target):  # type: ignore[no-untyped-def]
    for k in range(len(source)):  # Numba's `target[:] = source` takes many times as long
        target[k] = source[k]


@njit(cache=True, nogil=True)
def _joined(joins, c):  # type: ignore[no-untyped-def]
    """The first of the centres that edges connect with centre `c`."""
    while joins[c] != c:
        joins[c] = joins[joins[c]]
        c = joins[c]
    return c


@njit(cache=True, nogil=True)
def _edges(  # type: ignore[no-untyped-def]
    bucket, rank, place, sketches, agreement, memory, kept, names, joins, last, over
):
    """Edges of rows in the order of (bucket, rank); `memory`, `kept`, `names`, `joins` and `last` outlast a batch.

    Args:
        bucket: int64 [rows].
        rank: int64 [rows].
        place: int64 [rows], the row's sketch in
        sketches: uint32 [distinct, values].
        agreement: (needed, joined, told, fixed).
        memory: the bucket, how many centres it has, the rank of its last row, and a centre that this is connected with.
        kept: uint32 [centres, values], their sketches.
        names: int64 [centres], their ranks.
        joins: int64 [centres], a forest: each is connected with that one, of lower number or its own.
        last: uint32 [values], the sketch of the last row.
        over: bool [rows], set where the row would be a centre, were there room for one more.
    """
    needed, joined, told, fixed = agreement
    edges = np.empty((3, 2 * len(bucket) + 2 * len(names)), dtype=np.int64)
    count = 0
    current, filled, before, trail = memory
    for i in range(len(bucket)):
        mine = sketches[place[i]]
        if bucket[i] != current:
            current, filled, before, trail = bucket[i], 0, -1, -1
        alike = False
        linked = before < 0
        with_ = -1  # the first of the centres that the row is connected with
        if count + filled + 1 > edges.shape[1]:
            more = np.empty((3, 2 * edges.shape[1]), dtype=np.int64)
            more[:, :count] = edges[:, :count]
            edges = more
        for c in range(filled):
            equal = _agreeing(mine, kept[c])
            if equal >= joined:
                other = _joined(joins, c)
                if equal >= told or other != with_:
                    edges[0, count], edges[1, count], edges[2, count] = rank[i], names[c], equal
                    count += 1
                with_, other = (min(with_, other), max(with_, other)) if with_ >= 0 else (other, other)
                joins[other] = with_
                alike |= equal >= needed
            linked |= names[c] == before
        if not linked:
            equal = _agreeing(mine, last)
            if equal >= joined:
                other = _joined(joins, trail) if trail >= 0 else -1
                if equal >= told or other < 0 or other != with_:
                    edges[0, count], edges[1, count], edges[2, count] = rank[i], before, equal
                    count += 1
                if other >= 0:
                    with_, other = (min(with_, other), max(with_, other)) if with_ >= 0 else (other, other)
                    joins[other] = with_
        if not alike or rank[i] < fixed:
            over[i] = filled == len(names)
            if not over[i]:
                _copy(mine, kept[filled])
                names[filled] = rank[i]
                with_ = with_ if with_ >= 0 else filled
                joins[filled] = with_
                filled += 1
        before, trail = rank[i], with_
        _copy(mine, last)
    memory[0], memory[1], memory[2], memory[3] = current, filled, before, trail
    return edges[:, :count].copy()
