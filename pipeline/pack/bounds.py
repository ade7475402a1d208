"""The bound that certifies a packing: the better of two, below which no packing can go."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.pack.binpack import lower_bound

__all__ = ["best_bound", "dual_bound"]

_LARGEST = 50


def best_bound(lengths: NDArray[np.integer[Any]], capacity: int) -> int:
    """Martello and Toth's L2, or the dual bound where that is higher (where a bin holds a few of like length)."""
    return max(lower_bound(lengths, capacity), dual_bound(lengths, capacity))


def dual_bound(lengths: NDArray[np.integer[Any]], capacity: int) -> int:
    """Fekete and Schepers' bound from dual feasible functions.

    For k = 1, 2, …: a length x counts as x where (k + 1) x is a multiple of C, else as ⌊(k + 1) x / C⌋ C / k. Lengths
    that fit into a bin still do when they are counted so, hence their sum over C bounds the bins. (Fekete & Schepers
    2001, "New classes of fast lower bounds for bin packing problems", Mathematical Programming 91.)
    """
    count = np.bincount(np.asarray(lengths, dtype=np.int64), minlength=capacity + 1).astype(np.int64)
    x = np.arange(capacity + 1)
    best = 0
    for k in range(1, min(_LARGEST, capacity) + 1):
        whole, rest = np.divmod((k + 1) * x, capacity)
        counted = np.where(rest == 0, k * x, whole * capacity)  # times k
        best = max(best, -(-int((count * counted).sum()) // (k * capacity)))
    return best
