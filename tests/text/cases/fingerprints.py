"""Normal form, digest, sketch, bands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tests.text.cases.rows import TEXT, as_bytes, as_rows

__all__ = ["cases"]

SKETCHES = np.random.default_rng(0).integers(0, 4, (2, 16), np.uint32)


def cases() -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield (kernel, arguments)."""
    for row in as_rows():
        yield "normalise.fold", (*row, np.zeros(0, np.uint8), -1)
        yield "normalise.fold", (*row, np.zeros(256, np.uint8), 3)
        yield "digest.digest", (*row, np.zeros(2, np.uint64))
        yield "sketch.sketch", (*row, 4, np.zeros(16, np.uint64), np.zeros(16, np.uint32))
        if row[2] > row[1]:
            yield "sketch.fill", (*row, 4, 0, -1, np.full(16, 2**64 - 1, np.uint64))
            yield "sketch.fill", (*row, 4, 20, 4, np.full(16, 2**64 - 1, np.uint64))
    for at in range(0, len(TEXT), 5):
        yield "digest.load", (as_bytes(TEXT), at, len(TEXT))
    for value in (0, 1, 0xDEADBEEF, 2**64 - 1):
        yield "hashing.mix", (np.uint64(value),)
        yield "digest.rotate", (np.uint64(value), 31)
    for items in (0, 1, 2, 3, 1000):
        yield "hashing.slots_for", (items,)
    yield "bands.count_equal", (SKETCHES[0].copy(), SKETCHES[1].copy())
    yield "bands.band_keys", (SKETCHES[0].copy(), 4, np.zeros(4, np.uint64))
