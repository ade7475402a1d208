"""Best-fit decreasing, exact and global, and the bound that certifies it.

The longest item first, each into the bin with the least free space that still takes it. Items of equal length go in
the order they came, bins of equal free space in the order they came to it, so the result depends on nothing else.

Lengths are whole numbers, so the algorithm runs on their histogram: bins of one content are one *group*, and a group
takes the next length all at once. A bin that has taken an item and could take a second of that length is then the
tightest fit, so it takes as many as it holds before the next bin has its turn. The steps are as many as groups arise
(tens of thousands for ten million items); the items themselves are dealt out at the end, O(n). A tree over the free
spaces 1 … C finds "the least free space ≥ L" in O(log C).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

__all__ = ["Packing", "best_fit_decreasing", "deal", "longest_first", "lower_bound"]

_PARENT, _OFFSET, _BINS, _GONE, _TAKES, _ITEM, _NEXT = range(7)
"""Columns of a group: the group it came from (-1: empty bins) and from which of its bins on; its bins, how many of
them have gone on to other groups; the items that each bin took and where they begin; the next in the queue."""


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


def best_fit_decreasing(lengths: NDArray[np.integer[Any]], capacity: int) -> Packing:
    """Pack items of `lengths` (n,), each in 1 … capacity, into bins of `capacity`.

    Raises:
        ValueError: a length is outside 1 … capacity.
    """
    lengths = np.ascontiguousarray(lengths, dtype=np.int64)
    if len(lengths) and not (lengths.min() >= 1 and lengths.max() <= capacity):
        raise ValueError(f"lengths must lie in 1 … {capacity}, not {lengths.min()} … {lengths.max()}")
    count = np.bincount(lengths, minlength=capacity + 1).astype(np.int64)
    groups, bins = _place(count, capacity)
    return deal(groups, bins, longest_first(lengths, count))


def lower_bound(lengths: NDArray[np.integer[Any]], capacity: int) -> int:
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
def _place(count: NDArray[np.int64], capacity: int) -> tuple[NDArray[np.int64], int]:
    """Groups of equal bins, shape (groups, 7), and the number of bins; `count[L]` items have length L."""
    leaves = 1
    while leaves <= capacity:
        leaves *= 2
    # occupied[leaves + f]: some bin has f free; occupied[i]: some leaf below node i is occupied.
    occupied = np.zeros(2 * leaves, dtype=np.bool_)
    # Groups of equal free space wait in a queue.
    head = np.full(capacity + 1, -1, dtype=np.int64)
    tail = np.full(capacity + 1, -1, dtype=np.int64)
    groups = np.empty((1024, 7), dtype=np.int64)
    made = 0
    bins = 0
    item = 0
    for length in range(capacity, 0, -1):
        left = count[length]
        while left:
            node = _first_occupied(occupied, leaves + length)
            free = node - leaves if node else capacity
            source = head[free] if node else -1
            takes = min(free // length, left)
            taken = left // takes  # bins that are filled alike
            if source >= 0:
                offset = groups[source, _GONE]
                taken = min(taken, groups[source, _BINS] - offset)
                groups[source, _GONE] += taken
                if groups[source, _GONE] == groups[source, _BINS]:
                    head[free] = groups[source, _NEXT]
                    if head[free] < 0:
                        tail[free] = -1
                        _vacate(occupied, node)
            else:
                offset = bins
                bins += taken
            if made == len(groups):
                larger = np.empty((2 * made, 7), dtype=np.int64)
                larger[:made] = groups
                groups = larger
            groups[made] = (source, offset, taken, 0, takes, item, -1)
            item += taken * takes
            left -= taken * takes
            free -= takes * length
            if free > 0:
                if tail[free] < 0:
                    head[free] = made
                    _occupy(occupied, leaves + free)
                else:
                    groups[tail[free], _NEXT] = made
                tail[free] = made
            made += 1
    return groups[:made].copy(), bins


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def longest_first(lengths: NDArray[np.int64], count: NDArray[np.int64]) -> NDArray[np.int64]:
    """The items by length, longest first, equal ones in their order: a counting sort."""
    place = np.zeros(len(count), dtype=np.int64)
    for length in range(len(count) - 1, 0, -1):
        place[length - 1] = place[length] + count[length]
    order = np.empty(len(lengths), dtype=np.int64)
    for item in range(len(lengths)):
        order[place[lengths[item]]] = item
        place[lengths[item]] += 1
    return order


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _sizes(groups: NDArray[np.int64], bins: int) -> NDArray[np.int64]:
    """The end of each bin among the items, shape (bins + 1,)."""
    first = np.zeros(bins + 1, dtype=np.int64)
    for group in range(len(groups)):
        for number in range(groups[group, _GONE], groups[group, _BINS]):
            items, at, inside = 0, group, number
            while at >= 0:
                items += groups[at, _TAKES]
                inside += groups[at, _OFFSET]
                at = groups[at, _PARENT]
            first[inside + 1] = items
    for number in range(bins):
        first[number + 1] += first[number]
    return first


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _fill(
    groups: NDArray[np.int64], first: NDArray[np.int64], order: NDArray[np.int64], items: NDArray[np.int64]
) -> None:
    """Deal the items out; a bin's last group tells of its last items, so each bin is filled from its end."""
    for group in range(len(groups)):
        for number in range(groups[group, _GONE], groups[group, _BINS]):
            at, inside = group, number
            while at >= 0:
                inside += groups[at, _OFFSET]
                at = groups[at, _PARENT]
            end = first[inside + 1]
            at, inside = group, number
            while at >= 0:
                takes = groups[at, _TAKES]
                begin = groups[at, _ITEM] + inside * takes
                end -= takes
                items[end : end + takes] = order[begin : begin + takes]
                inside += groups[at, _OFFSET]
                at = groups[at, _PARENT]


def deal(groups: NDArray[np.int64], bins: int, order: NDArray[np.int64]) -> Packing:
    """Deal items, longest first, into the bins that `groups` describe."""
    first = _sizes(groups, bins)
    items = np.empty(len(order), dtype=np.int64)
    _fill(groups, first, order, items)
    return Packing(items=items, first=first)


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _occupy(occupied: NDArray[np.bool_], node: int) -> None:
    while node >= 1 and not occupied[node]:
        occupied[node] = True
        node >>= 1


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _vacate(occupied: NDArray[np.bool_], node: int) -> None:
    occupied[node] = False
    node >>= 1
    while node >= 1 and not (occupied[2 * node] or occupied[2 * node + 1]):
        occupied[node] = False
        node >>= 1


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
