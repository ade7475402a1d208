"""Fillings of bins that together take every item with the fewest bins, where a bin may be used in part.

Gilmore & Gomory's column generation (1961, "A linear programming approach to the cutting-stock problem", Operations
Research 9). The linear programme has a row a length and a column a filling, a column is only made when it is needed:
the prices of the rows (duals) say what an item is worth, and the filling worth more than a bin comes in. Fillings hold
of no length more items than there are ("proper" ones), which makes the bound sharper where few are of one length.

The revised simplex method with the inverse of the basis in full, in plain arithmetic compiled without reordering: the
same bits on every machine of one kind. Nothing rests on its rounding: what is claimed from the prices is worked out
again in whole numbers (`bounds.weights_bound`), and the fillings are dealt out item by item.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from pipeline.pack.knapsack import fillings_of, most_valuable

__all__ = ["Columns", "generate"]

_CELLS = 1 << 27
"""Bytes of choices that one filling is found with."""
_NEAR = 1e-6
"""Bins: what is as near to a whole number counts as it."""
_ZERO = 1e-9


class Columns(NamedTuple):
    """A solution, or how far it came."""

    fillings: NDArray[np.int64]
    """Shape (k, m), items of each length in each filling."""
    uses: NDArray[np.float64]
    """Shape (k,), of each filling; their sum is the bins."""
    prices: NDArray[np.float64]
    """Shape (m,), of the best bound: no filling is worth more than 1 (to rounding)."""


def generate(
    size: NDArray[np.int64], count: NDArray[np.int64], capacity: int, *, known: int, work: int
) -> Columns | None:
    """Solve, until no bound above `known` can come of it or the bound cannot rise; None where that is too much work.

    Args:
        size: lengths, shape (m,), each in 1 … capacity.
        count: items of each, shape (m,), each above 0.
        capacity: of a bin.
        known: a bound that is proved already.
        work: additions that may be spent.
    """
    passes = int(fillings_of(size, count, capacity))
    pivots = work // (2 * len(size) ** 2 + passes * capacity + 1)
    if passes * (capacity + 1) > _CELLS or pivots < 4 * len(size):
        return None
    fillings, cost, uses, prices = _simplex(size, count, capacity, known, pivots, passes)
    used = (cost > 0) & (uses > _ZERO)
    return Columns(fillings=fillings[used], uses=uses[used], prices=prices)


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _simplex(
    size: NDArray[np.int64], count: NDArray[np.int64], capacity: int, known: int, pivots: int, passes: int
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """The basis (its columns as rows), their costs (0: an item too many), their uses, and the best bound's prices."""
    lengths = len(size)
    basis = np.zeros((lengths, lengths), np.int64)
    inverse = np.zeros((lengths, lengths))
    cost = np.ones(lengths)
    uses = np.zeros(lengths)
    for row in range(lengths):  # to begin with, bins of one length each
        basis[row, row] = min(capacity // size[row], count[row])
        inverse[row, row] = 1.0 / basis[row, row]
        uses[row] = count[row] * inverse[row, row]
    worth = np.zeros(capacity + 1)
    taken = np.zeros((passes, capacity + 1), np.bool_)
    column = np.zeros(lengths, np.int64)
    entering = np.zeros(lengths)
    prices = np.zeros(lengths)
    bound = float(known)
    best = size / capacity  # what their length is of a bin: a bound for a start
    for _ in range(pivots):
        for length in range(lengths):
            prices[length] = 0.0
        for row in range(lengths):
            if cost[row] > 0:
                for length in range(lengths):
                    prices[length] += inverse[row, length]
        total = 0.0
        for length in range(lengths):
            total += prices[length] * count[length]
        if np.ceil(total - _NEAR) <= np.ceil(bound - _NEAR):
            break  # the bound is below the solution and would be rounded up to it
        filling = most_valuable(size, count, prices, capacity, worth, taken, column)
        value = 0.0
        for length in range(lengths):
            value += max(0.0, prices[length]) * count[length]
        if value > bound * filling:  # Farley: prices over the best filling's are a bound
            bound = value / filling
            for length in range(lengths):
                best[length] = max(0.0, prices[length]) / filling
        cheapest = 0
        for length in range(lengths):
            if prices[length] < prices[cheapest]:
                cheapest = length
        if -prices[cheapest] > max(filling - 1.0, _ZERO):
            for length in range(lengths):
                column[length] = 0
            column[cheapest] = -1  # an item too many of a length whose price fell below 0
            costs = 0.0
        elif filling > 1.0 + _ZERO:
            costs = 1.0
        else:
            break
        for row in range(lengths):
            entering[row] = 0.0
            for length in range(lengths):
                if column[length] != 0:
                    entering[row] += inverse[row, length] * column[length]
        leaving = _leaving(uses, entering)
        if leaving < 0:
            break
        step = uses[leaving] / entering[leaving]
        for row in range(lengths):
            uses[row] = max(0.0, uses[row] - step * entering[row])
        uses[leaving] = step
        for length in range(lengths):
            inverse[leaving, length] /= entering[leaving]
            basis[leaving, length] = column[length]
        for row in range(lengths):
            if row != leaving and entering[row] != 0:
                for length in range(lengths):
                    inverse[row, length] -= entering[row] * inverse[leaving, length]
        cost[leaving] = costs
    return basis, cost, uses, best


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _leaving(uses: NDArray[np.float64], entering: NDArray[np.float64]) -> int:
    """The row that falls to 0 first, of equals the one with the largest pivot; -1: none does."""
    least = np.inf
    leaving = -1
    for row in range(len(uses)):
        if entering[row] > _ZERO:
            ratio = uses[row] / entering[row]
            near = ratio <= least + 1e-12 and leaving >= 0 and entering[row] > entering[leaving]
            if ratio < least - 1e-12 or near:
                least = min(least, ratio)
                leaving = row
    return leaving
