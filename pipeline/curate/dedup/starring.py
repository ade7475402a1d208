"""Survivors chosen on a GPU worker: as `stars`, of whole frames at a time in place of edges one after another.

A round decides every row of whose better neighbours one is kept, or all are removed. So the rows that nothing better
is like come first, and it takes as many rounds as the longest chain of rows that wait for each other has links. Of a
longer chain than `ROUNDS`, and of more edges than fit a worker, the worker's processor decides, by `stars` itself.
Only what pandas and cuDF have in common is called.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.curate.dedup.stars import Stars, stars
from pipeline.curate.dedup.work import Map, load, save

__all__ = ["ROUNDS", "starred"]

ROUNDS = 64
"""Rounds on a device; each looks at the edges of rows that are not decided."""

_EDGES = 1 << 27
"""Edges on the device at once: 3 GB, and about four times that at work."""

_WAITS, _KEPT, _REMOVED = 0, 1, 2


def starred(
    edges: Sequence[Path], count: int, needed: int, path: Path, run: Map, module: str, *, fixed: int = 0
) -> Stars:
    """Choose the survivors; as `stars`.

    Args:
        edges: as of `stars`.
        count: of ranks, at most `hooking.RANKS`.
        needed: as of `stars`.
        path: for the result.
        run: runs tasks, on workers that have `module`.
        module: that holds the edges, `cudf` or `pandas`.
        fixed: as of `stars`.
    """
    job = _Star(edges=tuple(edges), count=count, needed=needed, fixed=fixed, path=path, module=module)
    (found,) = run(star, [job])
    survivor, equal, orphan = load(path)
    return Stars(survivor=np.array(survivor), equal=np.array(equal), orphan=orphan != 0, found=found)


@dataclass(frozen=True, kw_only=True)
class _Star:
    edges: tuple[Path, ...]
    count: int
    needed: int
    fixed: int
    path: Path
    module: str


def star(job: _Star) -> int:
    """Write survivors, equal values and orphans of all ranks; return how many edges can remove a row."""
    chosen = None
    if sum(load(path).shape[1] for path in job.edges) <= _EDGES:
        parts = [np.zeros((3, 0), np.int64)]
        for path in job.edges:
            part = load(path)
            parts.append(part[:, (part[2] >= job.needed) & (part[0] >= job.fixed)])
        chosen = _chosen(np.concatenate(parts, axis=1), job.count, import_module(job.module))
    if chosen is None:
        chosen = stars(job.edges, job.count, job.needed, fixed=job.fixed)
    save(job.path, np.stack([chosen.survivor, chosen.equal, chosen.orphan.astype(np.int64)]))
    return chosen.found


def _chosen(found: NDArray[np.int64], count: int, frames: Any) -> Stars | None:
    """What becomes of every rank, or None if it takes too many rounds."""
    if not found.shape[1]:
        return Stars(survivor=np.arange(count), equal=np.full(count, -1), orphan=np.zeros(count, np.bool_), found=0)
    worse, better, equal = (np.ascontiguousarray(column) for column in found)
    edges = frames.DataFrame({"worse": worse, "better": better, "equal": equal}).drop_duplicates(ignore_index=True)
    state = _set(frames.Series(np.full(count, _KEPT, np.int8)), edges["worse"], _WAITS)
    waiting = edges
    for _ in range(ROUNDS):
        if not len(waiting):
            return _stars_of(edges, state, count, frames)
        state = _set(state, waiting["worse"][_at(state, waiting["better"]) == _KEPT], _REMOVED)
        waiting = _only(waiting, _at(state, waiting["worse"]) == _WAITS)
        undecided = _only(waiting, _at(state, waiting["better"]) == _WAITS)
        state = _set(_set(state, waiting["worse"], _KEPT), undecided["worse"], _WAITS)
        waiting = undecided
    return None


def _stars_of(edges: Any, state: Any, count: int, frames: Any) -> Stars:
    """Of the kept rows that each removed one is like the most similar, the better-ranked where equal."""
    orphan = _set(frames.Series(np.zeros(count, np.int8)), edges["worse"][_at(state, edges["worse"]) == _KEPT], 1)
    near = _only(edges, _at(state, edges["better"]) == _KEPT)
    most = near.groupby("worse", sort=False)["equal"].max().reset_index()
    equal = _set(frames.Series(np.full(count, -1)), most["worse"], most["equal"].values)
    near = _only(near, near["equal"] == _at(equal, near["worse"]))
    best = near.groupby("worse", sort=False)["better"].min().reset_index()
    survivor = _set(frames.Series(np.arange(count)), best["worse"], best["better"].values)
    return Stars(survivor=survivor.to_numpy(), equal=equal.to_numpy(), orphan=orphan.to_numpy() != 0, found=len(edges))


def _only(edges: Any, which: Any) -> Any:
    """Some of the edges, numbered anew."""
    return edges[which].reset_index(drop=True)


def _at(values: Any, places: Any) -> Any:
    """The values of some ranks, numbered anew."""
    return values.take(places.values).reset_index(drop=True)


def _set(values: Any, places: Any, value: Any) -> Any:
    """The values, with another for some ranks."""
    if not len(places):
        return values
    values = values.copy()
    values.iloc[places.values] = value
    return values
