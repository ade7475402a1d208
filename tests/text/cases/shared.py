"""Text that many rows share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tests.text.cases.rows import as_rows

__all__ = ["cases"]


def cases() -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield (kernel, arguments)."""
    for row in as_rows():
        for number in (1, 2):
            counted = np.zeros(512, np.uint32), np.ones(512, np.uint32)
            yield "shared.tally_windows", (*row, 3, number, np.zeros(512, np.uint64), *counted)
        for shared in (range(0), range(row[1], row[2], 5)):
            yield "shared.cut_shared", (*row, 3, windows(row, shared), np.zeros(256, np.uint8), 1)


def windows(row: tuple[np.ndarray, int, int], starts: range) -> np.ndarray:
    """A table of some of the row's windows of three bytes."""
    buffer, _, end = row
    table = np.zeros(512, np.uint64)
    for start in starts:
        if start + 3 <= end:
            hashed = 0
            for byte in buffer[start : start + 3].tolist():
                hashed = (hashed * 0x9E3779B97F4A7C15 + byte + 1) % 2**64
            for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
                hashed = (hashed ^ hashed >> 33) * factor % 2**64
            hashed ^= hashed >> 33
            slot = hashed % 512
            while table[slot] not in (0, hashed):
                slot = (slot + 1) % 512
            table[slot] = hashed
    return table
