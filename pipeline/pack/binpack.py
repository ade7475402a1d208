"""Best-fit decreasing, exact and global, and the bound that certifies it.

The longest item first, each into the bin with the least free space that still takes it. Items of equal length go in
the order they came, bins of equal free space in the order they were opened, so the result depends on nothing else.
A tree over the free spaces 1 … C finds "the least free space ≥ L" in O(log C): n items take O(n log C).
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

__all__ = ["Packing", "best_fit_decreasing", "lower_bound"]


class Packing(NamedTuple):
    """Items dealt into bins: bin `b` holds `items[first[b]:first[b + 1]]`, in the order they were placed."""

    items: NDArray[np.int64]
    """Shape (n,), indices into the lengths."""
    first: NDArray[np.int64]
    """Shape (bins + 1,)."""

    @property
    def bins(self) -> int:
        """How many bins there are."""
        return len(self.first) - 1


def best_fit_decreasing(lengths: NDArray[np.int64], capacity: int) -> Packing:
    """Pack items of `lengths` (n,), each in 1 … capacity, into bins of `capacity`.

    Raises:
        ValueError: a length is outside 1 … capacity.
    """
    lengths = np.ascontiguousarray(lengths, dtype=np.int64)
    if len(lengths) and not (lengths.min() >= 1 and lengths.max() <= capacity):
        raise ValueError(f"lengths must lie in 1 … {capacity}, not {lengths.min()} … {lengths.max()}")
    order = np.argsort(capacity - lengths, kind="stable")
    bin_of, bins = _place(lengths[order], capacity)
    by_bin = np.argsort(bin_of, kind="stable")
    first = np.zeros(bins + 1, dtype=np.int64)
    np.cumsum(np.bincount(bin_of, minlength=bins), out=first[1:])
    return Packing(items=order[by_bin], first=first)


def lower_bound(lengths: NDArray[np.int64], capacity: int) -> int:
    """Martello and Toth's L2: no packing of these lengths has fewer bins.

    For each α ≤ C/2, items above C − α stand alone, items above C/2 need a bin each, and what of the items in
    [α, C/2] does not fit beside the latter needs further bins. (Martello & Toth 1990, "Lower bounds and reduction
    procedures for the bin packing problem", Discrete Applied Mathematics 28.) O(n + C) on the histogram.
    """
    count = np.bincount(np.asarray(lengths, dtype=np.int64), minlength=capacity + 1).astype(np.int64)
    items = np.concatenate([[0], np.cumsum(count)])  # items[k]: items shorter than k
    space = np.concatenate([[0], np.cumsum(count * np.arange(capacity + 1))])
    half = capacity // 2
    alpha = np.arange(half + 1)
    alone = items[-1] - items[capacity - alpha + 1]
    large = items[capacity - alpha + 1] - items[half + 1]
    room = large * capacity - (space[capacity - alpha + 1] - space[half + 1])
    small = space[half + 1] - space[alpha]
    further = np.maximum(0, -((room - small) // capacity))
    return int(np.max(alone + large + further))


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _place(lengths: NDArray[np.int64], capacity: int) -> tuple[NDArray[np.int64], int]:
    """The bin of each item of the descending `lengths`, and the number of bins."""
    n = len(lengths)
    leaves = 1
    while leaves <= capacity:
        leaves *= 2
    # occupied[leaves + f]: some bin has f free; occupied[i]: some leaf below node i is occupied.
    occupied = np.zeros(2 * leaves, dtype=np.bool_)
    # Bins of equal free space wait in a queue, linked through `following`.
    head = np.full(capacity + 1, -1, dtype=np.int64)
    tail = np.full(capacity + 1, -1, dtype=np.int64)
    following = np.full(n, -1, dtype=np.int64)
    bin_of = np.empty(n, dtype=np.int64)
    bins = 0
    for item in range(n):
        length = lengths[item]
        node = _first_occupied(occupied, leaves + length)
        if node:
            free = node - leaves
            chosen = head[free]
            head[free] = following[chosen]
            if head[free] < 0:
                tail[free] = -1
                occupied[node] = False
                node >>= 1
                while node >= 1 and not (occupied[2 * node] or occupied[2 * node + 1]):
                    occupied[node] = False
                    node >>= 1
        else:
            free = capacity
            chosen = bins
            bins += 1
        bin_of[item] = chosen
        free -= length
        if free > 0:
            following[chosen] = -1
            if tail[free] < 0:
                head[free] = chosen
                node = leaves + free
                while node >= 1 and not occupied[node]:
                    occupied[node] = True
                    node >>= 1
            else:
                following[tail[free]] = chosen
            tail[free] = chosen
    return bin_of, bins


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _first_occupied(occupied: NDArray[np.bool_], leaf: int) -> int:
    """The first occupied leaf at `leaf` or to its right, or 0."""
    if occupied[leaf]:
        return leaf
    node = leaf
    while node > 1 and (node & 1 or not occupied[node + 1]):  # up, while there is nothing on the right
        node >>= 1
    if node <= 1:
        return 0
    node += 1
    while 2 * node < len(occupied):  # down, keeping to the left
        node = 2 * node if occupied[2 * node] else 2 * node + 1
    return node
