"""Bins filled as exactly as a short search finds, for lengths that best-fit decreasing packs badly.

Where lengths are few and alike (quiz questions in bins of five or six), decreasing order puts like with like and every
bin is left with the same gap. Here each bin takes the longest example that is left, and then those that fill the rest
best, the longer ones tried first: *minimum bin slack* with its first item fixed (Gupta & Ho 1999; Fleszar & Hindi 2002,
"New heuristics for one-dimensional bin-packing"), on the histogram: a filling is used as often as its lengths last.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from pipeline.pack.binpack import Packing, best_fit_decreasing, deal, longest_first
from pipeline.pack.bounds import best_bound

__all__ = ["pack_lengths"]

_TOLERANCE = 0.001
"""Of bins above the bound: below it, best-fit decreasing stands."""
_NODES = 20_000
"""Fillings looked at for one bin."""


def pack_lengths(lengths: NDArray[np.int64], capacity: int) -> Packing:
    """Pack by best-fit decreasing, or by filling where that leaves more than a thousandth and filling less.

    Args:
        lengths: shape (n,), each in 1 … capacity.
        capacity: of a bin.
    """
    packing = best_fit_decreasing(lengths, capacity)
    bound = best_bound(lengths, capacity)
    if packing.bins - bound <= _TOLERANCE * bound:
        return packing
    count = np.bincount(lengths, minlength=capacity + 1).astype(np.int64)
    groups, bins = _filled(count.copy(), capacity, _NODES)
    return deal(groups, bins, longest_first(lengths, count)) if bins < packing.bins else packing


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _filled(count: NDArray[np.int64], capacity: int, nodes: int) -> tuple[NDArray[np.int64], int]:
    """Groups of equal bins as in `binpack`, shape (groups, 7), and the number of bins; `count` is used up."""
    item = np.zeros(capacity + 2, dtype=np.int64)  # the next item of each length, in decreasing order
    for length in range(capacity, 0, -1):
        item[length - 1] = item[length] + count[length]
    groups = np.empty((1024, 7), dtype=np.int64)
    made = 0
    bins = 0
    chosen = np.zeros(capacity + 1, dtype=np.int64)
    best = np.zeros(capacity + 1, dtype=np.int64)
    longest = capacity
    while True:
        while longest > 0 and count[longest] == 0:
            longest -= 1
        if longest == 0:
            return groups[:made].copy(), bins
        count[longest] -= 1
        used = _fill_one(count, capacity - longest, longest, nodes, chosen, best)
        count[longest] += 1
        # Lengths of the filling, the longest first, one group each: all of its bins go on to the next length.
        times = count[longest]
        best[used] = longest
        for number in range(used + 1):
            length = best[number]
            takes = 0
            for other in range(used + 1):
                takes += best[other] == length
            times = min(times, count[length] // takes)
        parent = -1
        for length in range(longest, 0, -1):
            takes = 0
            for number in range(used + 1):
                takes += best[number] == length
            if takes == 0:
                continue
            if made == len(groups):
                larger = np.empty((2 * made, 7), dtype=np.int64)
                larger[:made] = groups
                groups = larger
            groups[made] = (parent, bins if parent < 0 else 0, times, 0, takes, item[length], -1)
            if parent >= 0:
                groups[parent, 3] = times
            item[length] += times * takes
            count[length] -= times * takes
            parent = made
            made += 1
        bins += times


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _fill_one(
    count: NDArray[np.int64],
    room: int,
    longest: int,
    nodes: int,
    chosen: NDArray[np.int64],
    best: NDArray[np.int64],
) -> int:
    """Lengths that fill `room` best, into `best`; how many. Depth first, in decreasing order; `count` comes back."""
    depth = 0
    kept = 0
    left = room
    least = room
    next_length = min(longest, left)
    while least > 0 and nodes > 0:
        nodes -= 1
        # An exact end is seen at once.
        if left > 0 and left <= longest and count[left] > 0:
            best[:depth] = chosen[:depth]
            best[depth] = left
            kept = depth + 1
            break
        while next_length > 0 and count[next_length] == 0:
            next_length -= 1
        if next_length > 0:
            chosen[depth] = next_length
            depth += 1
            count[next_length] -= 1
            left -= next_length
            if left < least:
                least = left
                best[:depth] = chosen[:depth]
                kept = depth
            next_length = min(next_length, left)
        elif depth > 0:
            depth -= 1
            next_length = chosen[depth]
            count[next_length] += 1
            left += next_length
            next_length -= 1
        else:
            break
    for number in range(depth):
        count[chosen[number]] += 1
    return kept
