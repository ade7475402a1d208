"""Sorting and looking up whole numbers, many times as fast as `np.lexsort` and `np.searchsorted` alone.

A sort of one 64-bit key runs on vectors; and a binary search over more than the caches hold is fast only where the next
number lies near the last.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["order_of", "places_in"]

_HALF = 1 << 32


def order_of(first: NDArray[Any], second: NDArray[Any]) -> NDArray[np.int64]:
    """Where the pairs stand that come first by `first`, then by `second`: int64 [pairs]; of equal ones in any order.

    Args:
        first: integers [pairs], not negative.
        second: integers [pairs], not negative.
    """
    if not len(first) or max(int(first.max()), int(second.max())) >= _HALF:
        return np.lexsort((second, first))
    order: NDArray[np.int64] = np.argsort(first.astype(np.uint64) << np.uint64(32) | second.astype(np.uint64))
    return order


def places_in(numbers: NDArray[np.int64], asked: NDArray[np.int64]) -> NDArray[np.int64]:
    """`np.searchsorted(numbers, asked)`: int64 [asked].

    Args:
        numbers: int64 [n], ascending.
        asked: int64, in any order.
    """
    if len(numbers) and len(asked):
        low, high = min(int(numbers[0]), int(asked.min())), max(int(numbers[-1]), int(asked.max()))
        if high - low < len(asked):  # a table of all numbers between is no larger than the answer
            counts = np.bincount(numbers - low, minlength=high - low + 1)
            found: NDArray[np.int64] = (np.cumsum(counts) - counts)[asked - low]
            return found
    order = np.argsort(asked)
    places = np.empty(len(asked), np.int64)
    places[order] = np.searchsorted(numbers, asked[order])
    return places
