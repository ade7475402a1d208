"""Numbers of bins below which no packing can go, and what proves each.

All four are sums over the histogram of lengths in whole numbers; none trusts rounding.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.pack.binpack import lower_bound

__all__ = ["Bound", "best_bound", "dual_bound", "weights_bound"]

_LARGEST = 50
_SCALE = 1 << 30


@dataclass(frozen=True, kw_only=True)
class Bound:
    """So many bins are needed, and why."""

    bins: int
    proved_by: str
    """`martello-toth`, `fekete-schepers` or `weights`."""
    weights: dict[int, int] = field(default_factory=dict)
    """Of `weights`: what an item of each length weighs. The weight of all items over the most that a bin can hold,
    rounded up, is the bound; others weigh nothing."""


def best_bound(lengths: NDArray[np.integer[Any]], capacity: int) -> Bound:
    """Martello and Toth's L2, or the dual bound where that is higher (where a bin holds a few of like length)."""
    l2, dual = lower_bound(lengths, capacity), dual_bound(lengths, capacity)
    return Bound(bins=dual, proved_by="fekete-schepers") if dual > l2 else Bound(bins=l2, proved_by="martello-toth")


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


def weights_bound(
    size: NDArray[np.int64], count: NDArray[np.int64], prices: NDArray[np.float64], capacity: int
) -> Bound:
    """The bound that prices of items give, whatever they are and however they were found.

    The prices become whole numbers, and the most that one bin can hold of them is found exactly, by a knapsack in whole
    numbers. No packing puts more into any of its bins, so it has at least the sum over that maximum.

    Args:
        size: lengths, shape (m,), each in 1 … capacity.
        count: items of each, shape (m,).
        prices: of an item of each, shape (m,), of which a bin holds about 1.
        capacity: of a bin.
    """
    weights = np.floor(np.clip(prices, 0.0, 1.0) * _SCALE).astype(np.int64)
    most = _heaviest(size, count, weights, capacity)
    total = sum(int(items) * int(weight) for items, weight in zip(count, weights, strict=True))
    named = {int(length): int(weight) for length, weight in zip(size, weights, strict=True)}
    return Bound(bins=-(-total // most) if most else 0, proved_by="weights", weights=named)


def _heaviest(size: NDArray[np.int64], count: NDArray[np.int64], weights: NDArray[np.int64], capacity: int) -> int:
    """The most that a bin can hold: a knapsack by dynamic programming over the space, items of a length doubling."""
    weight = np.zeros(capacity + 1, np.int64)
    for length, items, each in zip(size.tolist(), count.tolist(), weights.tolist(), strict=True):
        left, step = min(items, capacity // length), 1
        while left > 0:
            step = min(step, left)
            taken = step * length
            weight[taken:] = np.maximum(weight[taken:], weight[:-taken] + step * each)
            left -= step
            step *= 2
    return int(weight[capacity])
