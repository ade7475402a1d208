"""Sorting and looking up whole numbers, many times as fast as `np.lexsort` and `np.searchsorted` alone.

A sort of one 64-bit key runs on vectors; and a binary search over more than the caches hold is fast only where the next
number lies near the last.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["distinct", "each_pair_once", "order_of", "places_in"]

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


def each_pair_once(pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """Columns in the order of their first two values, one of those in which these are the same: int64 [rows, pairs].

    Args:
        pairs: int64 [rows, pairs], none of the first two rows negative.
    """
    pairs = pairs[:, order_of(pairs[0], pairs[1])]
    first, second = pairs[:2]
    fresh = np.ones(len(first), dtype=np.bool_)
    fresh[1:] = (first[1:] != first[:-1]) | (second[1:] != second[:-1])
    return pairs[:, fresh]


def distinct(numbers: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """`np.unique(numbers, return_inverse=True)`: int64 [distinct], ascending, and int64 [n], where each stands in it.

    Args:
        numbers: int64 [n], not negative.
    """
    if not len(numbers) or int(numbers.max()) >= 8 * len(numbers):
        return np.unique(numbers, return_inverse=True)
    there = np.zeros(int(numbers.max()) + 1, np.bool_)  # a table is no larger than the numbers
    there[numbers] = True
    return np.flatnonzero(there), (np.cumsum(there) - 1)[numbers]


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
