"""Texts that a GPU made for its own loops: the host has their bounds, and of their bytes what it asks for."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

__all__ = ["Resident"]


class Resident(NamedTuple):
    """Rows on the device, one behind the other.

    Attributes:
        copy: The device's array.
        bounds: int64 (n + 1), on the host; row k is `copy[bounds[k]:bounds[k + 1]]`.
    """

    copy: Any
    bounds: np.ndarray

    def on_host(self, rows: np.ndarray) -> np.ndarray:
        """An array on the host, of which only some rows are what they are on the device."""
        here = np.empty(int(self.bounds[-1]), self.copy.dtype)  # memory that is never touched costs nothing
        for row in rows.tolist():
            begin, end = self.bounds[row], self.bounds[row + 1]
            if end > begin:
                self.copy[begin:end].copy_to_host(here[begin:end])
        here.flags.writeable = False
        return here

    def put(self, rows: np.ndarray, array: np.ndarray) -> None:
        """Copy some rows of an array of the same layout to the device."""
        for row in rows.tolist():
            begin, end = self.bounds[row], self.bounds[row + 1]
            if end > begin:
                self.copy[begin:end].copy_to_device(array[begin:end])
