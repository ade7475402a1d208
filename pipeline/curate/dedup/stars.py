"""Near duplicates as stars: a row is removed only if it is similar to the survivor kept instead of it.

Rows are taken best first. A row is removed if a survivor that it was compared with reaches the threshold, in favour of
the most similar one (the better-ranked where equal); else it survives. So no row is removed by a chain of resemblances,
and two rows that were compared and both survive are unlike. Of the graph whose edges point from each row to the better
ones it is similar to, the survivors are the kernel, and a graph without cycles has exactly one: it does not matter in
which order, or on how many workers, the edges were found.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.curate.dedup.sorting import each_pair_once
from pipeline.curate.dedup.work import load

__all__ = ["Stars", "edge_ranges", "stars"]

_EDGES = 1 << 22
"""Edges in memory at once."""


@dataclass(frozen=True, kw_only=True)
class Stars:
    """What became of every rank.

    Attributes:
        survivor: int64 [rows], the rank kept instead; a row that survives is its own.
        equal: int64 [rows], how many values the two have in common; -1 for a survivor.
        orphan: bool [rows], the row survives though it is similar to a better one, which did not.
        found: how many different edges there are that can remove a row.
    """

    survivor: NDArray[np.int64]
    equal: NDArray[np.int64]
    orphan: NDArray[np.bool_]
    found: int


def stars(edges: Sequence[Path], count: int, needed: int, *, fixed: int = 0, batch: int = _EDGES) -> Stars:
    """Choose the survivors.

    Args:
        edges: files of `comparisons.compare`.
        count: of ranks.
        needed: equal values of a duplicate.
        fixed: ranks below that survive in any case: they were kept by an earlier run.
        batch: edges in memory at once.
    """
    survivor, equal = np.arange(count), np.full(count, -1, dtype=np.int64)
    orphan = np.zeros(count, dtype=np.bool_)
    found = 0
    for part in edge_ranges(edges, count, batch):
        found += _stars(np.ascontiguousarray(part), needed, fixed, survivor, equal, orphan)
    return Stars(survivor=survivor, equal=equal, orphan=orphan, found=found)


def edge_ranges(edges: Sequence[Path], count: int, batch: int = _EDGES) -> Iterator[NDArray[np.int64]]:
    """All edges in the order of (worse rank, better rank), each once, about `batch` of them at a time.

    Args:
        edges: files, each in the order of the worse rank.
        count: of ranks.
        batch: edges in memory at once.

    Yields:
        int64 [3, edges]; the edges of one worse rank come together.
    """
    files = [load(path) for path in edges]
    files = [file for file in files if file.shape[1]]
    total = sum(file.shape[1] for file in files)
    bounds = np.linspace(0, count, -(-total // batch) + 1).astype(np.int64)
    cuts = [np.searchsorted(file[0], bounds) for file in files]
    for i in range(len(bounds) - 1):
        part = np.concatenate([file[:, cut[i] : cut[i + 1]] for file, cut in zip(files, cuts, strict=True)], axis=1)
        yield each_pair_once(part)


@njit(cache=True, nogil=True)
def _stars(edges, needed, fixed, survivor, equal, orphan):  # type: ignore[no-untyped-def]
    found = 0
    for i in range(edges.shape[1]):
        worse, better, agreeing = edges[0, i], edges[1, i], edges[2, i]
        if agreeing < needed or worse < fixed:
            continue
        found += 1
        # Better ranks are decided: their edges came before.
        if survivor[better] != better:
            orphan[worse] |= survivor[worse] == worse
        elif agreeing > equal[worse]:
            survivor[worse], equal[worse], orphan[worse] = better, agreeing, False
    return found
