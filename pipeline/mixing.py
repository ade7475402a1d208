"""Numbers that look random and are a function of a key: the same on every machine, with every version of numpy.

SplitMix64: Steele, Lea & Flood, Fast Splittable Pseudorandom Number Generators, 2014.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["keyed", "mixed", "shuffled"]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def keyed(numbers: NDArray[np.uint64], *key: int) -> NDArray[np.uint64]:
    """SplitMix64 of each number under the whole numbers of `key`."""
    state = np.zeros(1, np.uint64)
    for value in key:
        state = mixed(np.array([value % 2**64], np.uint64) + state * _GOLDEN)
    return mixed((numbers + np.uint64(1)) * _GOLDEN + state)


def mixed(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's finaliser: a bijection of 64-bit words whose outputs look unrelated."""
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


def shuffled(count: int, seed: int) -> NDArray[np.int64]:
    """The numbers 0 … count - 1 in the order of their hashes under a seed."""
    order: NDArray[np.int64] = np.argsort(keyed(np.arange(count, dtype=np.uint64), seed), kind="stable")
    return order
