"""64-bit hashes of what kernels count, and the table that counts them."""

from __future__ import annotations

import numpy as np

from pipeline.text.kernel import declare

__all__ = ["FACTOR", "mix", "slots_for", "table_size"]

FACTOR = np.uint64(0x9E3779B97F4A7C15)  # odd, so that multiplying by it loses no bit


@declare("uint64(uint64)")
def mix(value: np.uint64) -> np.uint64:
    """Return a well-mixed bijection of 64 bits (the finaliser of MurmurHash3_x64, Appleby)."""
    value = (value ^ (value >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    value = (value ^ (value >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
    return value ^ (value >> np.uint64(33))


@declare("int64(int64)")
def slots_for(items: int) -> int:
    """Return the size of an open-addressing table for `items` keys: a power of two, at most half full."""
    slots = 4
    while slots < 2 * items:
        slots *= 2
    return slots


def table_size(items: int) -> int:
    """What `slots_for` returns, to those who allocate: a kernel is for kernels."""
    return max(4, 1 << (2 * items - 1).bit_length())
