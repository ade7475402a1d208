"""Clusters found on a GPU worker: every rank's label, hooked to the least label beside it until nothing changes.

Labels point to better ranks, and after every round straight to their root. A round relabels the edges, hooks each root
to the least root that an edge joins it with, and follows the pointers (Shiloach and Vishkin, *An O(log n) Parallel
Connectivity Algorithm*, 1982, with the least neighbour in place of any). Only what pandas and cuDF have in common is
called. The labels stay on the device; edges come to it file by file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.curate.dedup.work import Map, load, save

__all__ = ["RANKS", "hooked"]

RANKS = 1 << 28
"""Ranks whose labels fit a worker: 2 GB, and about four times that at work."""

_EDGES = 1 << 26
"""Edges on the device at once: 1 GB, and about five times that at work."""


def hooked(edges: Sequence[Path], count: int, folder: Path, run: Map, module: str) -> NDArray[np.int64]:
    """The best rank that each rank is connected with; as `components.components`.

    Args:
        edges: files of `comparisons.compare`.
        count: of ranks, at most `RANKS`.
        folder: for the result.
        run: runs tasks, on workers that have `module`.
        module: that holds the labels and edges, `cudf` or `pandas`.

    Returns:
        int64 [count].
    """
    job = _Hook(edges=tuple(edges), count=count, path=folder / "roots.npy", module=module)
    run(hook, [job])
    return np.array(load(job.path))


@dataclass(frozen=True, kw_only=True)
class _Hook:
    edges: tuple[Path, ...]
    count: int
    path: Path
    module: str


def hook(job: _Hook) -> None:
    """Write the roots of all ranks."""
    frames = import_module(job.module)
    label = frames.Series(np.arange(job.count))
    for path in job.edges:
        found = load(path)
        for start in range(0, found.shape[1], _EDGES):
            worse, better = (np.ascontiguousarray(end) for end in found[:2, start : start + _EDGES])
            label = _joined(label, frames.DataFrame({"a": worse, "b": better}), frames)
    save(job.path, label.to_numpy())


def _joined(label: Any, edges: Any, frames: Any) -> Any:
    """The labels with the ends of the edges under one root."""
    while True:
        one, other = _at(label, edges["a"]), _at(label, edges["b"])
        later = one > other
        edges = frames.DataFrame({"a": one.where(later, other), "b": other.where(later, one)})
        edges = edges[edges["a"] != edges["b"]].drop_duplicates(ignore_index=True)
        if not len(edges):
            return label
        least = edges.groupby("a", sort=False)["b"].min().reset_index()
        label = label.copy()
        label.iloc[least["a"].values] = least["b"].values
        label = _followed(label)


def _followed(label: Any) -> Any:
    """Every label the root that pointers lead to."""
    while True:
        further = _at(label, label)
        if bool((further == label).all()):
            return label
        label = further


def _at(label: Any, places: Any) -> Any:
    """The labels of some ranks, numbered anew."""
    return label.take(places.values).reset_index(drop=True)
