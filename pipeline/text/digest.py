"""128-bit digests: MurmurHash3_x64_128 (Austin Appleby, public domain) with seed 0."""

from __future__ import annotations

import numpy as np

from pipeline.text.hashing import mix
from pipeline.text.kernel import declare, int64
from pipeline.text.load import load

__all__ = ["digest"]

C1 = np.uint64(0x87C37B91114253D5)
C2 = np.uint64(0x4CF5AD432745937F)
# NumPy's integers, for Numba would compile `rotate` once for each literal.
R27 = int64(27)
R31 = int64(31)
R33 = int64(33)


@declare("int64(uint8[::1], int64, int64, uint64[::1])")
def digest(buffer: np.ndarray, start: int, end: int, output: np.ndarray) -> int:
    """Write the digest of the row as two uint64, the 16 bytes of the reference on a little-endian machine.

    Args:
        buffer: Bytes of the column; the row is `[start, end)`.
        start: Its first byte.
        end: One past its last byte.
        output: Two values.

    Returns:
        The length of the row.
    """
    a = np.uint64(0)
    b = np.uint64(0)
    i = start
    while i < end:
        # The reference treats the last, incomplete block apart; padded with zeros it takes the same steps, save one.
        a ^= rotate(load(buffer, i, end) * C1, R31) * C2
        whole = end - i >= 16
        if whole:
            a = (rotate(a, R27) + b) * np.uint64(5) + np.uint64(0x52DCE729)
        b ^= rotate(load(buffer, i + 8, end) * C2, R33) * C1
        if whole:
            b = (rotate(b, R31) + a) * np.uint64(5) + np.uint64(0x38495AB5)
        i += 16
    a ^= np.uint64(end - start)
    b ^= np.uint64(end - start)
    a += b
    b += a
    a = mix(a)
    b = mix(b)
    a += b
    b += a
    output[0] = a
    output[1] = b
    return int64(end - start)


@declare("uint64(uint64, int64)")
def rotate(value: np.uint64, bits: int) -> np.uint64:
    """Return `value` rotated left."""
    return (value << np.uint64(bits)) | (value >> np.uint64(64 - bits))
