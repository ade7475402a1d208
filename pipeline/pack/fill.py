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

from pipeline.pack.fillings import Fillings

__all__ = ["filled"]

_NODES = 20_000
"""Fillings looked at for one bin."""
_ALL_NODES = 200_000_000
"""Fillings looked at for all bins, a few seconds of one core; from then on each bin gets the least."""
_LEAST_NODES = 64


def filled(count: NDArray[np.int64], *, nodes: int = _NODES) -> Fillings:
    """Fill bins one after another.

    Args:
        count: items of each length 0 … capacity, shape (capacity + 1,).
        nodes: fillings looked at for one bin.
    """
    return Fillings(*_filled(count.copy(), len(count) - 1, nodes))


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _filled(
    count: NDArray[np.int64], capacity: int, nodes: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """The arrays of `Fillings`; `count` is used up."""
    lengths = np.empty(1024, dtype=np.int64)
    first = np.zeros(1024, dtype=np.int64)
    times = np.empty(1024, dtype=np.int64)
    made = 0
    chosen = np.zeros(capacity + 1, dtype=np.int64)
    best = np.zeros(capacity + 1, dtype=np.int64)
    longest = capacity
    spare = _ALL_NODES
    while True:
        while longest > 0 and count[longest] == 0:
            longest -= 1
        if longest == 0:
            return lengths[: first[made]].copy(), first[: made + 1].copy(), times[:made].copy()
        count[longest] -= 1
        allowed = max(_LEAST_NODES, min(nodes, spare))
        used, looked = _fill_one(count, capacity - longest, longest, allowed, chosen, best)
        spare -= looked
        count[longest] += 1
        best[used] = longest
        size = used + 1
        bins = count[longest]
        for number in range(size):
            takes = 0
            for other in range(size):
                takes += best[other] == best[number]
            bins = min(bins, count[best[number]] // takes)
        while first[made] + size > len(lengths):
            lengths = _doubled(lengths)
        if made + 1 == len(times):
            first, times = _doubled(first), _doubled(times)
        # The longest is the first item; the others were chosen in decreasing order.
        lengths[first[made]] = longest
        for number in range(used):
            lengths[first[made] + 1 + number] = best[number]
        for number in range(size):
            count[best[number]] -= bins
        times[made] = bins
        first[made + 1] = first[made] + size
        made += 1


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _doubled(values: NDArray[np.int64]) -> NDArray[np.int64]:
    larger = np.empty(2 * len(values), dtype=np.int64)
    for number in range(len(values)):
        larger[number] = values[number]
    return larger


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _fill_one(
    count: NDArray[np.int64],
    room: int,
    longest: int,
    nodes: int,
    chosen: NDArray[np.int64],
    best: NDArray[np.int64],
) -> tuple[int, int]:
    """Lengths that fill `room` best, into `best`: how many, and the fillings looked at; `count` comes back.

    Depth first, in decreasing order.
    """
    allowed = nodes
    depth = 0
    kept = 0
    left = room
    least = room
    next_length = min(longest, left)
    while least > 0 and nodes > 0:
        nodes -= 1
        # An exact end is seen at once.
        if left > 0 and left <= longest and count[left] > 0:
            for number in range(depth):
                best[number] = chosen[number]
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
                for number in range(depth):
                    best[number] = chosen[number]
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
    return kept, allowed - nodes
