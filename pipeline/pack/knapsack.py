"""The most valuable bin: which lengths, each at most as often as there are items of it, are worth the most together."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

__all__ = ["fillings_of", "most_valuable"]


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def fillings_of(size: NDArray[np.int64], most: NDArray[np.int64], capacity: int) -> int:
    """Passes over a bin that `most_valuable` makes: one a length, or one a power of two of its items."""
    passes = 0
    for number in range(len(size)):
        left = most[number]
        if left >= capacity // size[number]:
            passes += 1
            continue
        while left > 0:
            left //= 2
            passes += 1
    return passes


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def most_valuable(
    size: NDArray[np.int64],
    most: NDArray[np.int64],
    value: NDArray[np.float64],
    capacity: int,
    worth: NDArray[np.float64],
    taken: NDArray[np.bool_],
    chosen: NDArray[np.int64],
) -> float:
    """The value of the best filling; the filling itself into `chosen`.

    A bounded knapsack by dynamic programming over the space used: a length of which a bin holds no more than there are
    is one pass (each item again and again), another is passes of 1, 2, 4, … items, the last of what is left.

    Args:
        size: lengths, shape (m,), each in 1 … capacity.
        most: items of each, shape (m,).
        value: of an item of each, shape (m,); one that is not above 0 is not taken.
        capacity: of a bin.
        worth: room for the values by space, shape (capacity + 1,).
        taken: room for the choices, shape (`fillings_of`, capacity + 1).
        chosen: items of each length in the best filling, shape (m,).
    """
    for space in range(capacity + 1):
        worth[space] = 0.0
    passed = 0
    for number in range(len(size)):
        if value[number] <= 0:
            continue
        if most[number] >= capacity // size[number]:
            _again_and_again(worth, taken[passed], size[number], value[number])
            passed += 1
            continue
        left, step = most[number], 1
        while left > 0:
            step = min(step, left)
            _once(worth, taken[passed], step * size[number], step * value[number])
            left -= step
            step *= 2
            passed += 1
    space = capacity
    steps = np.empty(64, np.int64)
    for number in range(len(size) - 1, -1, -1):
        chosen[number] = 0
        if value[number] <= 0:
            continue
        if most[number] >= capacity // size[number]:
            passed -= 1
            while taken[passed, space]:
                chosen[number] += 1
                space -= size[number]
            continue
        left, step, count = most[number], 1, 0
        while left > 0:
            step = min(step, left)
            steps[count] = step
            left -= step
            step *= 2
            count += 1
        while count > 0:
            count -= 1
            passed -= 1
            if taken[passed, space]:
                chosen[number] += steps[count]
                space -= steps[count] * size[number]
    return float(worth[capacity])


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _again_and_again(worth: NDArray[np.float64], taken: NDArray[np.bool_], size: int, value: float) -> None:
    for space in range(min(size, len(worth))):
        taken[space] = False
    for space in range(size, len(worth)):
        better = worth[space - size] + value > worth[space]
        taken[space] = better
        if better:
            worth[space] = worth[space - size] + value


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _once(worth: NDArray[np.float64], taken: NDArray[np.bool_], size: int, value: float) -> None:
    for space in range(min(size, len(worth))):
        taken[space] = False
    for space in range(len(worth) - 1, size - 1, -1):
        better = worth[space - size] + value > worth[space]
        taken[space] = better
        if better:
            worth[space] = worth[space - size] + value
