"""Clusters: everything that edges connect, numbered by its best rank.

Where one array over all ranks fits a worker, edges stream through a union-find. Else components are found as Kiveris
and others do (*Connected Components in MapReduce and Beyond*, SoCC 2014): large-star and small-star steps alternate
until nothing changes. A step sends each edge to its end, in files parted by rank, so that a task holds the edges of a
range of ranks only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.curate.dedup.sorting import each_pair_once
from pipeline.curate.dedup.work import Map, load, save

__all__ = ["alternating_stars", "components", "union_find"]

_RANKS = 1 << 28
"""Ranks whose union-find fits a worker: 2 GB."""


def components(edges: Sequence[Path], count: int, folder: Path, run: Map, *, fits: int = _RANKS) -> NDArray[np.int64]:
    """The best rank that each rank is connected with.

    Args:
        edges: files of `comparisons.compare`.
        count: of ranks.
        folder: for the files between the steps.
        run: runs tasks.
        fits: ranks up to which union-find is used.

    Returns:
        int64 [count].
    """
    return union_find(edges, count) if count <= fits else alternating_stars(edges, count, folder, run)


def union_find(edges: Sequence[Path], count: int) -> NDArray[np.int64]:
    """Components in one process, in whatever order the edges come: the root is the best rank of all."""
    root = np.arange(count)
    for path in edges:
        _union(load(path), root)
    _flatten(root)
    return root


def alternating_stars(
    edges: Sequence[Path], count: int, folder: Path, run: Map, *, shares: int = 16
) -> NDArray[np.int64]:
    """Components as tasks over ranges of ranks.

    Large-star links every neighbour that is worse than a rank with the best of its neighbourhood; small-star links the
    rank itself and its better neighbours with that best. Both keep components, and at the end every rank is linked
    with the best of its component and nothing else.
    """
    bounds = np.linspace(0, count, shares + 1).astype(np.int64).tolist()
    files = run(arcs_of, [(path, folder / f"arcs-{number:05d}.npy") for number, path in enumerate(edges)])
    turn, states = 0, [(0, 0)]
    while len(states) < 4 or len(set(states[-3:])) > 1:  # until neither star changes anything
        turn += 1
        jobs = [
            _Star(
                sources=tuple(files),
                low=low,
                high=high,
                large=turn % 2 == 1,
                path=folder / f"star-{turn % 2}-{share:05d}.npy",
            )
            for share, (low, high) in enumerate(pairwise(bounds))
        ]
        found = run(star, jobs)
        states.append((sum(arcs for arcs, _ in found), sum(mixed for _, mixed in found) % 2**64))
        files = [job.path for job in jobs]
    root = np.arange(count)
    for path in files:
        source, target = load(path)
        np.minimum.at(root, source, target)
    return root


def arcs_of(job: tuple[Path, Path]) -> Path:
    """Write the edges of one file as arcs: int64 [2, arcs], both ways, ascending."""
    edges, path = job
    save(path, _both_ways(load(edges)[:2]))
    return path


@dataclass(frozen=True, kw_only=True)
class _Star:
    sources: tuple[Path, ...]
    low: int
    high: int
    large: bool
    path: Path


def star(job: _Star) -> tuple[int, int]:
    """Apply one star step to the ranks in a range; return how many arcs it met, and a hash of the set of them."""
    pieces = []
    for path in job.sources:
        arcs = load(path)
        pieces.append(arcs[:, slice(*np.searchsorted(arcs[0], [job.low, job.high]))])
    arcs = each_pair_once(np.concatenate(pieces, axis=1))
    source, target = arcs
    mixed = (source.astype(np.uint64) << np.uint64(32)) ^ (target.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15))
    mixed = (mixed ^ (mixed >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    state = source.shape[0], int(np.sum(mixed ^ (mixed >> np.uint64(32)), dtype=np.uint64))
    first = np.flatnonzero(np.diff(source, prepend=-1))
    # The smallest neighbour comes first.
    best = np.repeat(np.minimum(target[first], source[first]), np.diff(first, append=len(source)))
    if job.large:
        linked, to = target[target > source], best[target > source]
    else:
        linked = np.concatenate([target[target < source], source[first]])
        to = np.concatenate([best[target < source], best[first]])
    save(job.path, _both_ways(np.stack([linked, to])))
    return state


def _both_ways(edges: NDArray[np.int64]) -> NDArray[np.int64]:
    edges = edges[:, edges[0] != edges[1]]
    return each_pair_once(np.concatenate([edges, edges[::-1]], axis=1))


@njit(cache=True, nogil=True)
def _union(edges, root):  # type: ignore[no-untyped-def]
    for i in range(edges.shape[1]):
        a, b = edges[0, i], edges[1, i]
        while root[a] != a:
            root[a] = root[root[a]]
            a = root[a]
        while root[b] != b:
            root[b] = root[root[b]]
            b = root[b]
        # The best rank is the root, so parents are never worse than their children.
        if a < b:
            root[b] = a
        else:
            root[a] = b


@njit(cache=True, nogil=True)
def _flatten(root):  # type: ignore[no-untyped-def]
    for row in range(len(root)):
        root[row] = root[root[row]]
