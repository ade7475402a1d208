"""Bins by what lengths they hold, each filling as many times as it is used, and the items dealt out to them."""

from __future__ import annotations

from typing import NamedTuple, Self

import numba
import numpy as np
from numpy.typing import NDArray

from pipeline.pack.binpack import Packing, longest_first

__all__ = ["Fillings"]


class Fillings(NamedTuple):
    """Filling `f` is `lengths[first[f]:first[f + 1]]`, in decreasing order, in `times[f]` bins."""

    lengths: NDArray[np.int64]
    """Shape (of all fillings together,)."""
    first: NDArray[np.int64]
    """Shape (fillings + 1,)."""
    times: NDArray[np.int64]
    """Shape (fillings,)."""

    @property
    def bins(self) -> int:
        """How many bins there are."""
        return int(self.times.sum())

    def then(self, others: Self) -> Self:
        """These bins and then the others."""
        return type(self)(
            lengths=np.concatenate([self.lengths, others.lengths]),
            first=np.concatenate([self.first, others.first[1:] + self.first[-1]]),
            times=np.concatenate([self.times, others.times]),
        )

    def deal(self, lengths: NDArray[np.int64], count: NDArray[np.int64]) -> Packing:
        """Deal items out, equal ones in their order.

        Args:
            lengths: of the items, shape (n,); the fillings hold exactly these.
            count: items of each length 0 … capacity.
        """
        first = np.zeros(self.bins + 1, np.int64)
        np.cumsum(np.repeat(np.diff(self.first), self.times), out=first[1:])
        return Packing(items=_dealt(*self, longest_first(lengths, count), count), first=first)


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _dealt(
    lengths: NDArray[np.int64],
    first: NDArray[np.int64],
    times: NDArray[np.int64],
    order: NDArray[np.int64],
    count: NDArray[np.int64],
) -> NDArray[np.int64]:
    """The items in the order of the bins; `order` has them longest first."""
    following = np.zeros(len(count) + 1, dtype=np.int64)
    for length in range(len(count) - 1, 0, -1):
        following[length - 1] = following[length] + count[length]
    items = np.empty(len(order), dtype=np.int64)
    place = 0
    for filling in range(len(times)):
        for _ in range(times[filling]):
            for number in range(first[filling], first[filling + 1]):
                items[place] = order[following[lengths[number]]]
                following[lengths[number]] += 1
                place += 1
    return items
