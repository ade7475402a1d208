"""Splits are drawn by cluster: near duplicates never sit on both sides of a split."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.config import Split
from pipeline.mixing import mixed
from pipeline.schema import SPLITS

__all__ = ["draw_splits"]


def draw_splits(clusters: NDArray[np.uint64], split: Split, seed: int) -> NDArray[np.int64]:
    """The split of each row, as an index into `SPLITS`.

    A cluster's draw is a hash of it and the seed, so it depends on no other row: a row that comes back in a later run
    keeps its split.

    Args:
        clusters: uint64 [rows].
        split: the shares.
        seed: of the run.
    """
    with np.errstate(over="ignore"):
        hashes = mixed(clusters + np.uint64((seed * 0x9E3779B97F4A7C15 + 0x9E3779B97F4A7C15) % 2**64))
    draw = (hashes >> np.uint64(11)).astype(np.float64) / 2.0**53
    edges = np.cumsum([getattr(split, name) for name in SPLITS])[:-1]
    return np.searchsorted(edges, draw, side="right")
