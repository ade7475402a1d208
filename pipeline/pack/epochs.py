"""Other companions each epoch, the same density: examples of equal length change places between bins.

A bin has places of fixed lengths. In epoch 0 each place holds the example that its file has there; in any other epoch
the examples of one length are permuted among all places of that length in the split. So every example is there once,
no bin grows, and its attention cost stays what it was. Nothing is rewritten and nothing but the order of the lengths is
held: which example comes to a place is computed, a function of (seed, epoch, place).

The permutation is a Feistel network keyed by (seed, epoch, length) on the least even number of bits that counts the
places, walked until it falls among them (Black & Rogaway 2002, "Ciphers with arbitrary finite domains").
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.mixing import keyed
from pipeline.pack.bins import Bin, Bins

__all__ = ["EpochBins", "permuted"]

_ROUNDS = 6
_UNIT = np.uint64(1)


class EpochBins:
    """The bins of a split as they are in any epoch."""

    def __init__(self, bins: Bins, *, seed: int) -> None:
        self.bins = bins
        self.seed = seed
        self._first, lengths = bins.places()
        # Places by length, those of one length in the order of the bins: 2-byte keys are sorted by radix.
        kind = np.uint16 if len(lengths) and lengths.max() < 1 << 16 else np.int64
        self._order = np.argsort(lengths.astype(kind), kind="stable").astype(
            np.uint32 if len(lengths) < 1 << 32 else int
        )
        self._lengths, begins = np.unique(lengths[self._order], return_index=True)
        self._begins = np.append(begins, len(lengths))

    def __len__(self) -> int:
        return len(self.bins)

    def get(self, index: int, epoch: int) -> Bin:
        """Bin `index` in an epoch, from 0.

        Raises:
            IndexError: there is no such bin.
        """
        own = self.bins.get(index)
        if epoch == 0:
            return own
        sources = self.sources(index, epoch)
        holders = np.searchsorted(self._first, sources, side="right") - 1
        found = [
            self.bins.example(int(holder), int(place - self._first[holder]))
            for holder, place in zip(holders, sources, strict=True)
        ]
        return Bin(
            tokens=np.concatenate([one.tokens for one in found]),
            loss=np.concatenate([one.loss for one in found]),
            starts=own.starts,
            rows=[row for one in found for row in one.rows],
        )

    def sources(self, index: int, epoch: int) -> NDArray[np.int64]:
        """The places of the files whose examples bin `index` has in `epoch`: numbers over the whole split."""
        places = np.arange(self._first[index], self._first[index + 1])
        starts = self.bins.get(index).starts.astype(np.int64)
        lengths = np.diff(np.append(starts, self.bins.length(index)))
        group = np.searchsorted(self._lengths, lengths)
        begin, size = self._begins[group], self._begins[group + 1] - self._begins[group]
        # Within a length the order is by place: a place's rank is found, not held.
        rank = np.array(
            [
                np.searchsorted(self._order[first : first + count], place)
                for first, count, place in zip(begin, size, places, strict=True)
            ],
            np.int64,
        )
        return self._order[begin + permuted(rank, size, lengths, seed=self.seed, epoch=epoch)].astype(np.int64)


def permuted(
    rank: NDArray[np.int64], size: NDArray[np.int64], tweak: NDArray[np.int64], *, seed: int, epoch: int
) -> NDArray[np.int64]:
    """Where `rank` comes to in a permutation of 0 … `size` - 1.

    Args:
        rank: shape (n,), each in 0 … size - 1.
        size: shape (n,), of each one's domain.
        tweak: shape (n,), equal for elements of one permutation.
        seed: of the permutations.
        epoch: of the permutations.

    Returns:
        Shape (n,), each in 0 … size - 1.
    """
    half = np.maximum(1, (_bits(size - 1) + 1) // 2).astype(np.uint64)
    mask = (_UNIT << half) - _UNIT
    key = keyed(tweak.astype(np.uint64), seed, epoch)
    found = rank.astype(np.uint64)
    outside = size > 1
    while outside.any():
        left, right = found[outside] >> half[outside], found[outside] & mask[outside]
        for number in range(_ROUNDS):
            word = keyed(right ^ key[outside], number)
            left, right = right, left ^ (word & mask[outside])
        found[outside] = (left << half[outside]) | right
        outside &= found >= size.astype(np.uint64)
    return found.astype(np.int64)


def _bits(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """The bits that each number takes; exact below 2⁵³."""
    return np.frexp(numbers.astype(np.float64))[1].astype(np.int64)
