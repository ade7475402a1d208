"""Whole bins from bins in part: how a solution of the linear programme becomes a packing.

Every filling is used as often as its whole number says. What is left are fewer bins than there are lengths. Of the
fractions some are rounded up, drawn at random, the larger the likelier, and the rest is packed by best-fit decreasing
and by filling (`fill`); this is tried with other draws until the bound is reached. Where no draw does, half of the
fractions stay rounded up and the programme is solved anew for what is left. Almost always the bound rounded up is
reached (the "integer round-up property": Scheithauer & Terno 1995, "The modified integer round-up property of the
one-dimensional cutting stock problem", European Journal of Operational Research 84).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pipeline.mixing import keyed
from pipeline.pack.binpack import best_fit_decreasing
from pipeline.pack.columns import Columns, generate
from pipeline.pack.fill import filled
from pipeline.pack.fillings import Fillings

__all__ = ["rounded"]

_TRIALS = 64
_SHARES = (0.5, 0.7, 0.8, 0.9, 1.0, 0.0)
"""Of the bins that the fractions come to: rounded up before the rest is packed."""
_RENEWALS = 8
"""Solved anew so many times, each with an eighth of the work that the first solution may take."""
_NODES = 2_000
"""Fillings looked at for one bin, a trial being one of many."""
_NOTHING = 1e-6


def rounded(
    columns: Columns, size: NDArray[np.int64], count: NDArray[np.int64], capacity: int, *, bound: int, work: int
) -> Fillings:
    """The best packing found, the first that reaches `bound` if any does.

    Args:
        columns: of these lengths.
        size: lengths, shape (m,), in decreasing order.
        count: items of each, shape (m,).
        capacity: of a bin.
        bound: fewer bins are impossible.
        work: of `generate`, for the renewals together.
    """
    best: Fillings | None = None
    for found in _attempts(columns, size, count, capacity, bound, work):
        if best is None or found.bins < best.bins:
            best = found
        if best.bins <= bound:
            break
    assert best is not None
    return best


def _attempts(
    columns: Columns, size: NDArray[np.int64], count: NDArray[np.int64], capacity: int, bound: int, work: int
) -> Iterator[Fillings]:
    first = _Chosen(size, count)
    first.take_whole(columns)
    yield from (first.drawn(columns, trial).packed(capacity) for trial in range(_TRIALS))
    for renewal in range(_RENEWALS):
        begun = first.drawn(columns, renewal * len(_SHARES))
        some = begun.left > 0
        size_left, count_left = size[some], begun.left[some]
        taken = begun.fillings()
        anew = generate(size_left, count_left, capacity, known=bound - taken.bins, work=work // _RENEWALS)
        if anew is None or len(size_left) == 0:
            continue
        rest = _Chosen(size_left, count_left)
        rest.take_whole(anew)
        yield from (taken.then(rest.drawn(anew, trial).packed(capacity)) for trial in range(_TRIALS))


class _Chosen:
    """Fillings chosen so far, and the items that are left."""

    def __init__(self, size: NDArray[np.int64], count: NDArray[np.int64]) -> None:
        self.size = size
        self.left = count.copy()
        self.chosen: list[tuple[NDArray[np.int64], int]] = []

    def take_whole(self, columns: Columns) -> None:
        """Use every filling as often as its whole number says."""
        whole, _ = _parted(columns)
        for number in np.flatnonzero(whole):
            self._take(columns.fillings[number], int(whole[number]))

    def drawn(self, columns: Columns, trial: int) -> _Chosen:
        """With some fractions rounded up besides."""
        other = _Chosen(self.size, self.left)
        other.chosen = list(self.chosen)
        _, part = _parted(columns)
        draws = (keyed(np.arange(len(part), dtype=np.uint64), trial) >> np.uint64(11)).astype(np.float64)
        ups = int(_SHARES[trial % len(_SHARES)] * part.sum())
        for number in np.argsort(-draws * part, kind="stable"):
            if ups and part[number] > _NOTHING and (columns.fillings[number] <= other.left).all():
                other._take(columns.fillings[number], 1)
                ups -= 1
        return other

    def packed(self, capacity: int) -> Fillings:
        """What was chosen, and the rest packed by the better of two ways."""
        left = np.zeros(capacity + 1, np.int64)
        left[self.size] = self.left
        lengths = np.repeat(self.size, self.left)
        packing = best_fit_decreasing(lengths, capacity)
        decreasing = Fillings(lengths[packing.items], packing.first, np.ones(packing.bins, np.int64))
        return self.fillings().then(min(decreasing, filled(left, nodes=_NODES), key=lambda one: one.bins))

    def fillings(self) -> Fillings:
        """What was chosen."""
        return Fillings(
            lengths=np.concatenate([np.empty(0, np.int64), *(lengths for lengths, _ in self.chosen)]),
            first=np.cumsum([0, *(len(lengths) for lengths, _ in self.chosen)], dtype=np.int64),
            times=np.array([times for _, times in self.chosen], np.int64),
        )

    def _take(self, filling: NDArray[np.int64], times: int) -> None:
        """Use a filling, less what is there no more: the columns may hold an item too many."""
        while times > 0:
            held = np.minimum(filling, self.left)
            some = held > 0
            if not some.any():
                return
            often = min(times, int((self.left[some] // held[some]).min()))
            self.left -= often * held
            self.chosen.append((np.repeat(self.size, held), often))
            times -= often


def _parted(columns: Columns) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    whole = np.floor(columns.uses + _NOTHING).astype(np.int64)
    return whole, columns.uses - whole
