"""Sketches compared: all values, and in bands."""

from __future__ import annotations

import numpy as np

from pipeline.text.hashing import FACTOR, mix
from pipeline.text.kernel import declare, int64

__all__ = ["band_keys", "count_equal"]


@declare("int64(uint32[::1], uint32[::1])")
def count_equal(a: np.ndarray, b: np.ndarray) -> int:
    """Return how many values two sketches of one length have in common, place by place."""
    equal = 0
    for k in range(len(a)):
        if a[k] == b[k]:
            equal += 1
    return equal


@declare("int64(uint32[::1], int64, uint64[::1])")
def band_keys(sketch: np.ndarray, rows: int, keys: np.ndarray) -> int:
    """Write one key a band: a hash of the band's number and its values.

    Args:
        sketch: The values of one text.
        rows: Values in a band.
        keys: Where to write; as many bands, of which the first is `sketch[:rows]`.

    Returns:
        The number of bands.
    """
    for band in range(len(keys)):
        key = mix(np.uint64(band + 1) * FACTOR)
        for k in range(band * rows, (band + 1) * rows):
            key = (key ^ np.uint64(sketch[k])) * FACTOR
            key ^= key >> np.uint64(32)
        keys[band] = mix(key)
    return int64(len(keys))
