"""Which examples lie in which bin, and in what order: flat arrays, in memory or mapped from files."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from pipeline.atomic import atomic_file
from pipeline.mixing import keyed
from pipeline.pack.binpack import Packing
from pipeline.pack.slices import Slices, consecutive

__all__ = ["BinLayout"]


class BinLayout(NamedTuple):
    """The bins of a split in the order of their files: bin `b` holds examples `first[b] … first[b + 1] - 1`."""

    slices: Slices
    """Of n examples."""
    first: NDArray[np.int64]
    """Shape (bins + 1,)."""

    @property
    def rows(self) -> NDArray[np.int64]:
        """Shape (n,), the row of each example among the split's token rows."""
        return self.slices.rows

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Shape (n,), tokens of each example."""
        return self.slices.lengths

    @property
    def bins(self) -> int:
        """How many bins there are."""
        return len(self.first) - 1

    @classmethod
    def shuffled(cls, packing: Packing, slices: Slices, *, seed: int) -> Self:
        """The bins of `packing` in an order drawn by `seed`.

        Decreasing lengths have put like with like; the shuffle parts them again.

        Args:
            packing: of the examples, by their number in `slices`.
            slices: the examples.
            seed: of the recipe.
        """
        order = np.argsort(keyed(np.arange(packing.bins, dtype=np.uint64), seed), kind="stable")
        sizes = np.diff(packing.first)[order]
        items = packing.items[consecutive(packing.first[order], sizes)]
        first = np.zeros(len(order) + 1, np.int64)
        np.cumsum(sizes, out=first[1:])
        return cls(slices=slices.take(items), first=first)

    def part(self, begin: int, end: int) -> Self:
        """Bins `begin … end - 1` as a layout of their own."""
        inside = self.slices.part(int(self.first[begin]), int(self.first[end]))
        return type(self)(slices=inside, first=self.first[begin : end + 1] - self.first[begin])

    def save(self, folder: Path) -> None:
        """Write the arrays into `folder`, for workers that map them."""
        for name, array in {**self.slices._asdict(), "first": self.first}.items():
            with atomic_file(folder / f"{name}.npy") as beside, beside.open("wb") as file:
                np.save(file, array)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Map what `save` wrote."""

        def mapped(name: str) -> NDArray[np.int64]:
            array: NDArray[np.int64] = np.load(folder / f"{name}.npy", mmap_mode="r")
            return array

        return cls(slices=Slices(*(mapped(name) for name in Slices._fields)), first=mapped("first"))
