"""A seeded order that no library's version changes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["shuffled"]


def shuffled(count: int, seed: int) -> NDArray[np.int64]:
    """The numbers 0 … count - 1 in the order of their SplitMix64 hashes (Steele, Lea & Flood 2014) under a seed."""
    numbers = np.arange(1, count + 1, dtype=np.uint64)
    hashes = _mix(numbers * np.uint64(0x9E3779B97F4A7C15) + _mix(np.array([seed % 2**64], np.uint64)))
    order: NDArray[np.int64] = np.argsort(hashes, kind="stable")
    return order


def _mix(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))
