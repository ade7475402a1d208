"""Examples as slices of rows: which tokens of which row, in flat arrays that are chosen from, cut and saved alike."""

from __future__ import annotations

from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from pipeline.pack.tokens import TokenRows

__all__ = ["Slices", "consecutive"]

Integers = NDArray[np.int64]


class Slices(NamedTuple):
    """n examples; one that is the front of its row needs no more than the row and a length.

    The others (pieces of a row that was split, rows that lost a field or their front) are one or more stretches of
    their row's tokens; `owner` is ascending, and an example's stretches stand one after another.
    """

    rows: Integers
    """Shape (n,), the row of each example among the split's token rows."""
    lengths: Integers
    """Shape (n,), tokens of each, all stretches together."""
    owner: Integers
    """Shape (stretches,), the number of the example that the stretch is part of."""
    begin: Integers
    """Shape (stretches,), its first token in the row."""
    size: Integers
    """Shape (stretches,), its tokens."""

    @classmethod
    def fronts(cls, rows: Integers, lengths: Integers) -> Self:
        """The first `lengths[i]` tokens of `rows[i]`; both of shape (n,)."""
        none = np.empty(0, np.int64)
        return cls(rows, lengths, none, none, none)

    def take(self, examples: Integers) -> Self:
        """Examples by their numbers, in any order and as often as they are named."""
        first = np.searchsorted(self.owner, examples, side="left")
        count = np.searchsorted(self.owner, examples, side="right") - first
        stretches = consecutive(first, count)
        owner = np.repeat(np.arange(len(examples)), count)
        return type(self)(
            self.rows[examples], self.lengths[examples], owner, self.begin[stretches], self.size[stretches]
        )

    def part(self, begin: int, end: int) -> Self:
        """Examples `begin … end - 1`: views, but for `owner`."""
        first, last = np.searchsorted(self.owner, [begin, end]).tolist()
        return type(self)(
            self.rows[begin:end],
            self.lengths[begin:end],
            self.owner[first:last] - begin,
            self.begin[first:last],
            self.size[first:last],
        )

    def ends(self) -> Integers:
        """The number, in its row, of the token after the last of each example; shape (n,)."""
        found = np.array(self.lengths)
        found[self.owner] = 0
        np.maximum.at(found, self.owner, self.begin + self.size)
        return found

    def gather(self, tokens: TokenRows) -> tuple[NDArray[np.uint32], NDArray[np.bool_]]:
        """The tokens of all examples one after another, and their masks; the first token of each is no target.

        Args:
            tokens: the split's.

        Returns:
            Two arrays of shape (sum of lengths,).
        """
        lengths = np.asarray(self.lengths)
        count = np.bincount(self.owner, minlength=len(lengths))
        own = np.maximum(count, 1)  # an example that is a front is one stretch
        given = np.repeat(count > 0, own)
        begin, size = np.zeros(len(given), np.int64), np.repeat(lengths, own)
        begin[given], size[given] = self.begin, self.size
        found, loss = tokens.gather(np.repeat(self.rows, own), size, begin)
        loss[(np.cumsum(lengths) - lengths)[lengths > 0]] = False
        return found, loss


def consecutive(first: Integers, sizes: Integers) -> Integers:
    """`first[0], first[0] + 1, …` for `sizes[0]` numbers, then the same from `first[1]`, and so on."""
    ends = np.cumsum(sizes)
    steps: Integers = np.arange(int(sizes.sum()), dtype=np.int64)
    steps += np.repeat(first - (ends - sizes), sizes)
    return steps
