"""Edges with exact similarities in place of estimated ones (`fuzzy.verify: exact`).

Each part is read for the rows in its edges only, and their shingles are written as sorted 64-bit hashes: eight bytes
for each different shingle, on disk, and mapped. Then the edges are decided file by file. Text does not leave its part.
Rows of the index have no text: an edge to one keeps the estimate from the sketches.

A similarity stands in an edge as the bits of its float64, whose order is that of the numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.config import Dedup
from pipeline.curate.dedup.collisions import Part
from pipeline.curate.dedup.shared import cut_texts
from pipeline.curate.dedup.texts import read_texts
from pipeline.curate.dedup.work import Map, load, save
from pipeline.engines import engine_for

__all__ = ["Verification", "bits", "similarity"]

_SLICE = 4 << 20
"""Bytes of texts that are cut into shingles at once."""
_HASHES = 1 << 23
"""Hashes of sets in memory at once: 64 MB, or one longer pair."""


def bits(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Similarities as an edge holds them."""
    return np.ascontiguousarray(values, np.float64).view(np.int64)


def similarity(values: NDArray[np.int64]) -> NDArray[np.float64]:
    """What `bits` were made of."""
    return np.ascontiguousarray(values).view(np.float64)


class Verification:
    """Turns files of edges into files of verified edges, turn by turn."""

    def __init__(
        self,
        parts: Sequence[Part],
        rows: NDArray[np.int64],
        rank: NDArray[np.int64],
        dedup: Dedup,
        folder: Path,
        *,
        shared: Path | None = None,
    ) -> None:
        """Begin.

        Args:
            parts: all rows, those of the index first.
            rows: as of `candidates.Candidates`.
            rank: as of `candidates.Candidates`.
            dedup: section of the recipe.
            folder: for the files between the steps.
            shared: file of the text that is left out, where some is.
        """
        self._shared = shared
        self._parts, self._rows, self._dedup, self._folder = parts, rows, dedup, folder
        self._by_rank = np.empty(len(rank), np.int64)
        self._by_rank[rank] = np.arange(len(rank))
        # The file that holds a candidate's set, and where in it.
        self._where = np.full((2, len(rows)), -1, np.int64)
        self._names: list[str] = []

    def __call__(self, edges: Sequence[Path], turn: int, run: Map) -> list[Path]:
        """Verify the edges of one turn.

        Args:
            edges: files of `comparisons.compare`.
            turn: number of the round, in the names of files.
            run: runs tasks.

        Returns:
            As many files, with the similarities' `bits` in place of how many values are equal.
        """
        wanted = np.zeros(len(self._rows), np.bool_)
        for path in edges:
            wanted[self._by_rank[load(path)[:2]]] = True
        new = np.flatnonzero(wanted & (self._where[0] < 0))
        jobs = []
        bounds = np.searchsorted(self._rows[new], [part.start for part in self._parts] + [np.iinfo(np.int64).max])
        for number, part in enumerate(self._parts):
            here = new[bounds[number] : bounds[number + 1]]
            if len(here) and part.documents is not None:
                name = f"sets-{turn:02d}-{number:05d}"
                self._where[:, here] = np.stack([np.full(len(here), len(self._names)), np.arange(len(here))])
                self._names.append(name)
                rows = self._rows[here] - part.start
                jobs.append(
                    _Sets(part=part, rows=rows, dedup=self._dedup, shared=self._shared, path=self._folder / name)
                )
        run(write_sets, jobs)
        where = self._folder / f"where-{turn:02d}.npy"
        save(where, np.concatenate([self._where, self._by_rank[None]]))
        assert self._dedup.fuzzy is not None
        verified = [
            _Verify(
                edges=path,
                where=where,
                sets=tuple(self._folder / name for name in self._names),
                values=self._dedup.fuzzy.sketch,
                path=self._folder / path.name,
            )
            for path in edges
        ]
        run(verify_edges, verified)
        return [job.path for job in verified]


@dataclass(frozen=True, kw_only=True)
class _Sets:
    part: Part
    rows: NDArray[np.int64]
    dedup: Dedup
    shared: Path | None
    path: Path


def write_sets(job: _Sets) -> None:
    """Write the shingle sets of some rows of one part: sorted hashes, and where each row's begin."""
    last = job.path.with_suffix(".bounds.npy")
    if last.exists():
        return
    assert job.part.documents is not None
    assert job.dedup.fuzzy is not None
    engine, shingle = engine_for("cpu"), job.dedup.fuzzy.shingle
    hashes, sizes = [np.zeros(0, np.uint64)], [np.zeros(1, np.int64)]
    for _, texts in read_texts(job.part.documents, job.rows, job.dedup.on, engine, slice_bytes=_SLICE):
        own = cut_texts(texts, job.shared, engine)
        found, bounds = engine.shingles(own, shingle=shingle.width, unit=shingle.unit)
        hashes.append(found)
        sizes.append(np.diff(bounds))
    save(job.path.with_suffix(".npy"), np.concatenate(hashes))
    save(last, np.cumsum(np.concatenate(sizes)))


@dataclass(frozen=True, kw_only=True)
class _Verify:
    edges: Path
    where: Path
    sets: tuple[Path, ...]
    values: int
    path: Path


def verify_edges(job: _Verify) -> None:
    """Write the edges of one file with the similarities' bits."""
    if job.path.exists():
        return
    edges = np.array(load(job.edges))
    *where, by_rank = load(job.where)
    pairs = by_rank[edges[:2]]
    bounds = [load(path.with_suffix(".bounds.npy")) for path in job.sets]
    known = (where[0][pairs] >= 0).all(axis=0)
    found = edges[2] / job.values
    found[known] = _exact(pairs[:, known], where[0], where[1], bounds, job.sets)
    edges[2] = bits(found)
    save(job.path, edges)


def _exact(
    pairs: NDArray[np.int64],
    file: NDArray[np.int64],
    place: NDArray[np.int64],
    bounds: Sequence[NDArray[np.int64]],
    sets: Sequence[Path],
) -> NDArray[np.float64]:
    """The Jaccard similarities of pairs of candidates, some pairs at a time: float64 [pairs]."""
    size = np.zeros(len(file), np.int64)
    for number, ends in enumerate(bounds):
        here = np.flatnonzero(file == number)
        size[here] = np.diff(ends)[place[here]]
    batch = np.cumsum(size[pairs].sum(axis=0)) // _HASHES
    similarities = np.empty(pairs.shape[1])
    for number in np.unique(batch):
        chosen = np.flatnonzero(batch == number)
        candidates, index = np.unique(pairs[:, chosen], return_inverse=True)
        ends = np.cumsum(size[candidates])
        hashes = np.empty(int(ends[-1]), np.uint64)
        for source in np.unique(file[candidates]):
            mine = file[candidates] == source
            starts = bounds[source][place[candidates[mine]]]
            _copy(load(sets[source].with_suffix(".npy")), starts, size[candidates[mine]], hashes, ends[mine])
        similarities[chosen] = _jaccard(hashes, ends, size[candidates], index.reshape(2, -1))
    return similarities


@njit(cache=True, nogil=True)
def _copy(source, starts, sizes, target, ends):  # type: ignore[no-untyped-def]
    for i in range(len(starts)):
        for k in range(sizes[i]):
            target[ends[i] - sizes[i] + k] = source[starts[i] + k]


@njit(cache=True, nogil=True)
def _jaccard(hashes, ends, sizes, pairs):  # type: ignore[no-untyped-def]
    found = np.empty(pairs.shape[1])
    for pair in range(pairs.shape[1]):
        one, other = pairs[0, pair], pairs[1, pair]
        i, j = ends[one] - sizes[one], ends[other] - sizes[other]
        both = 0
        while i < ends[one] and j < ends[other]:
            if hashes[i] == hashes[j]:
                both += 1
                i += 1
                j += 1
            elif hashes[i] < hashes[j]:
                i += 1
            else:
                j += 1
        found[pair] = both / max(1, sizes[one] + sizes[other] - both)
    return found
