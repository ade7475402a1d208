"""In what order bins are trained: a pure function of (costs, seed, step), computed and never iterated to.

Bins are taken in a sequence of epochs, each of which has every bin once. Step s takes the `global_batch` entries of
that sequence from s × `global_batch` on; each rank takes its slice of them, whatever the number of ranks. So to resume
is to compute, and costs nothing.

Within an epoch bins of like attention cost share a step, so that no rank waits for another; which of the steps comes
when, and which of like bins comes to which, is drawn anew for each epoch. A step that lies across two epochs takes bins
of middling cost from both.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["Order"]


class Order:
    """The order of the bins of one split."""

    def __init__(self, costs: NDArray[np.int64], *, seed: int, global_batch: int) -> None:
        """Take bins that cost `costs` (bins,) in steps of `global_batch`; equal costs mean: in any order."""
        self._costs = costs
        self._seed = seed
        self._global_batch = global_batch
        self._epoch = lru_cache(maxsize=2)(
            self._draw
        )  # a step touches two epochs at most, if it is not larger than one

    def step(self, step: int) -> list[tuple[int, int]]:
        """The entries of a step, from 0, over all ranks: the epoch and the number of each bin."""
        bins = len(self._costs)
        entries = range(step * self._global_batch, (step + 1) * self._global_batch)
        return [(entry // bins, int(self._epoch(entry // bins)[entry % bins])) for entry in entries]

    def _draw(self, epoch: int) -> NDArray[np.int64]:
        """The bins of an epoch in their order.

        Drawn by raw words of the counter-based generator Philox (Salmon et al., SC 2011) with key (seed, epoch): numpy
        promises these words for ever, and not the stream behind `Generator.permutation` (NEP 19).
        """
        bins, batch = len(self._costs), self._global_batch
        generator = np.random.Philox(key=np.array([self._seed, epoch], dtype=np.uint64))
        words = generator.random_raw(bins)
        ranked = np.lexsort((words, self._costs))
        # The epoch begins with what is left of a step, and ends with the beginning of one.
        head = min(-epoch * bins % batch, bins)
        whole = (bins - head) // batch
        apart = bins - whole * batch
        middle = whole * batch // 2
        steps = np.concatenate([ranked[:middle], ranked[middle + apart :]]).reshape(whole, batch)
        steps = steps[np.argsort(generator.random_raw(whole), kind="stable")]
        # Within a step the cheapest bin must not always go to the same rank.
        steps = np.take_along_axis(steps, np.argsort(words[steps], axis=1, kind="stable"), axis=1)
        edges = ranked[middle : middle + apart]
        edges = edges[np.argsort(words[edges], kind="stable")]
        return np.concatenate([edges[:head], steps.ravel(), edges[head:]])
