"""Which examples lie in which bin, and in what order: three arrays, in memory or mapped from files."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from pipeline.atomic import atomic_file
from pipeline.pack.binpack import Packing
from pipeline.pack.mixing import keyed

__all__ = ["BinLayout"]


class BinLayout(NamedTuple):
    """The bins of a split in the order of their files: bin `b` holds examples `first[b] … first[b + 1] - 1`."""

    rows: NDArray[np.int64]
    """Shape (n,), the row of each example among the split's token rows."""
    lengths: NDArray[np.int64]
    """Shape (n,), how many of the row's tokens the example has."""
    first: NDArray[np.int64]
    """Shape (bins + 1,)."""

    @property
    def bins(self) -> int:
        """How many bins there are."""
        return len(self.first) - 1

    @classmethod
    def shuffled(cls, packing: Packing, rows: NDArray[np.int64], lengths: NDArray[np.int64], *, seed: int) -> Self:
        """The bins of `packing` in an order drawn by `seed`.

        Decreasing lengths have put like with like; the shuffle parts them again.

        Args:
            packing: of the examples, by their index in `rows`.
            rows: shape (n,).
            lengths: shape (n,).
            seed: of the recipe.
        """
        order = np.argsort(keyed(np.arange(packing.bins, dtype=np.uint64), seed), kind="stable")
        sizes = np.diff(packing.first)[order]
        items = packing.items[_ranges(packing.first[order], sizes)]
        first = np.zeros(len(order) + 1, np.int64)
        np.cumsum(sizes, out=first[1:])
        return cls(rows=rows[items], lengths=lengths[items], first=first)

    def part(self, begin: int, end: int) -> Self:
        """Bins `begin … end - 1` as a layout of their own."""
        inside = slice(int(self.first[begin]), int(self.first[end]))
        first = self.first[begin : end + 1] - self.first[begin]
        return type(self)(rows=self.rows[inside], lengths=self.lengths[inside], first=first)

    def save(self, folder: Path) -> None:
        """Write the arrays into `folder`, for workers that map them."""
        for name, array in self._asdict().items():
            with atomic_file(folder / f"{name}.npy") as beside, beside.open("wb") as file:
                np.save(file, array)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Map what `save` wrote."""
        return cls(*(np.load(folder / f"{name}.npy", mmap_mode="r") for name in cls._fields))


def _ranges(first: NDArray[np.int64], sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """`first[0], first[0] + 1, …` for `sizes[0]` numbers, then the same from `first[1]`, and so on."""
    ends = np.cumsum(sizes)
    steps: NDArray[np.int64] = np.arange(int(sizes.sum()), dtype=np.int64)
    steps += np.repeat(first - (ends - sizes), sizes)
    return steps
