"""Copies of host arrays in a GPU's memory, kept for the operations that read the same text after one another."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np

__all__ = ["Mirrors"]

_SMALL = 4 << 10
"""Bytes below which a copy is not worth being kept."""


class Mirrors:
    """The latest copies, of at most so many bytes together.

    The host's array is kept with its copy, so no other can come to lie at its place. None may be written to.
    """

    def __init__(self, most: int) -> None:
        """Keep at most this many bytes."""
        self._most = most
        self._bytes = 0
        self._kept: OrderedDict[tuple[int, int], tuple[np.ndarray, Any]] = OrderedDict()

    def find(self, array: np.ndarray) -> Any | None:
        """The copy of an array's memory, or None."""
        key = _key(array)
        if key not in self._kept:
            return None
        self._kept.move_to_end(key)
        return self._kept[key][1]

    def takes(self, array: np.ndarray) -> bool:
        """Whether a copy of this array would be kept."""
        return _SMALL <= array.nbytes <= self._most

    def keep(self, array: np.ndarray, copy: Any) -> None:
        """Keep a copy; those that were used the longest time ago go."""
        key = _key(array)
        if not self.takes(array) or key in self._kept:
            return
        self._kept[key] = array, copy
        self._bytes += array.nbytes
        while self._bytes > self._most:
            _, (gone, _) = self._kept.popitem(last=False)
            self._bytes -= gone.nbytes

    def clear(self) -> None:
        """Let go of all."""
        self._kept.clear()
        self._bytes = 0


def _key(array: np.ndarray) -> tuple[int, int]:
    return array.ctypes.data, array.nbytes
