"""Lengths into bins, by as much work as it takes to come within a thousandth of what is possible, and a limit to it.

Best-fit decreasing first: for many rows it ends there. Where it does not, bins are filled by a search (`fill`); where
that is not enough either, the linear programme (`columns`) gives both a better bound and the fillings to round
(`rounding`). Work is counted in steps, never in seconds: equal input, equal bins.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.pack.binpack import Packing, best_fit_decreasing
from pipeline.pack.bounds import Bound, best_bound, weights_bound
from pipeline.pack.columns import generate
from pipeline.pack.fill import filled
from pipeline.pack.rounding import rounded

__all__ = ["Solution", "pack_lengths"]

_TOLERANCE = 0.001
"""Of bins above the bound: as much is left alone."""
_WORK = 6_000_000_000
"""Additions of the linear programme, some four seconds of one core; and half as many again where it is renewed."""


class Solution(NamedTuple):
    """A packing and the bound it is measured by."""

    packing: Packing
    bound: Bound

    @property
    def close(self) -> bool:
        """Whether nothing more is worth doing."""
        return self.packing.bins - self.bound.bins <= _TOLERANCE * self.bound.bins


def pack_lengths(lengths: NDArray[np.int64], capacity: int) -> Solution:
    """Pack `lengths` (n,), each in 1 … capacity, into bins of `capacity`.

    Raises:
        ValueError: a length is outside 1 … capacity.
    """
    solution = Solution(best_fit_decreasing(lengths, capacity), best_bound(lengths, capacity))
    if solution.close:
        return solution
    count = np.bincount(lengths, minlength=capacity + 1).astype(np.int64)
    fillings = filled(count)
    if fillings.bins < solution.packing.bins:
        solution = solution._replace(packing=fillings.deal(lengths, count))
    if solution.close:
        return solution
    size = np.flatnonzero(count)[::-1].copy()
    columns = generate(size, count[size], capacity, known=solution.bound.bins, work=_WORK)
    if columns is None:
        return solution
    bound = weights_bound(size, count[size], columns.prices, capacity)
    if bound.bins > solution.bound.bins:
        solution = solution._replace(bound=bound)
    if solution.close:
        return solution
    fillings = rounded(columns, size, count[size], capacity, bound=solution.bound.bins, work=_WORK // 2)
    return (
        solution._replace(packing=fillings.deal(lengths, count)) if fillings.bins < solution.packing.bins else solution
    )
