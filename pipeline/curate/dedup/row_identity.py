"""Which rows there are, whatever their order and the parts they lie in: the sum of a 128-bit hash of every row.

What depends on rows alone is known by it: `dedup.index` tells by it whether a batch was there before.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.curate.dedup.collisions import digests_of
from pipeline.engines import engine_for

__all__ = ["Sum", "of_rows", "shown", "total"]

Sum: TypeAlias = tuple[int, int, int]
"""How many rows, and the two halves of the sum of their hashes, modulo 2**64: plain numbers, fit for JSON."""


def of_rows(ids: pa.ChunkedArray, digests: pa.ChunkedArray, more: NDArray[np.uint64] | None = None) -> Sum:
    """Identify rows by their ids and digests.

    Args:
        ids: string [rows].
        digests: binary(16) [rows].
        more: uint64 [rows], anything else that tells rows apart.
    """
    engine = engine_for("cpu")
    pieces = np.zeros((len(ids), 3, 16), np.uint8)
    pieces[:, 0] = engine.digest(pc.cast(ids, pa.large_string()).combine_chunks(), normalised=True)
    pieces[:, 1] = digests_of(digests).view(np.uint8).reshape(-1, 16)
    if more is not None:
        pieces[:, 2, :8] = np.ascontiguousarray(more).view(np.uint8).reshape(-1, 8)
    ends = np.arange(len(ids) + 1, dtype=np.int64) * 3
    hashes = np.ascontiguousarray(engine.combine(pieces.reshape(-1, 16), ends)).view(np.uint64)
    low, high = hashes.sum(axis=0, dtype=np.uint64).tolist()
    return len(ids), low, high


def total(sums: Iterable[Sum]) -> Sum:
    """The identity of the rows of several parts, together."""
    rows = low = high = 0
    for one in sums:
        rows, low, high = rows + one[0], (low + one[1]) % 2**64, (high + one[2]) % 2**64
    return rows, low, high


def shown(identity: Sum) -> str:
    """The hashes in hex, then the number of rows."""
    rows, low, high = identity
    return f"{high:016x}{low:016x}-{rows}"
