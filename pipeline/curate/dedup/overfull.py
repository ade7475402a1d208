"""What the centres of a full bucket leave over, parted into finer buckets.

A band that many unlike rows share holds what they all have in common: a template. What tells near duplicates among
them is in the other values of their sketches, and there it is the rare ones: a value that two rows of thousands share
is hardly ever an accident. So the places of a sketch are taken in blocks of eight, and each block parts the rows that
are left over anew: by the value that is rarest among them, of those that another of them has too. Each of these finer
buckets is searched as the bucket itself was, with fewer centres.

It is a bounded form of prefix filtering (Chaudhuri and others, *A Primitive Operator for Similarity Joins in Data
Cleaning*, ICDE 2006), which loses no pair that agrees in c of K values, for a bucket for each of the rarest K - c + 1
values of a row. Here a row is in K/8 of them. Of the values of a block that neither row has alone, let the rarest
be one that both have with the probability j: then a pair is lost with one of (1 - j)^(K/8).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.curate.dedup.candidates import Sketches
from pipeline.curate.dedup.collisions import group_keys
from pipeline.curate.dedup.sorting import distinct

__all__ = ["BLOCK", "finer_buckets"]

BLOCK = 8
"""Places of a sketch that a row is in one finer bucket for."""
_FACTOR = np.uint64(0x9E3779B97F4A7C15)


def finer_buckets(
    bucket: NDArray[np.int64], candidate: NDArray[np.int64], sketches: Sketches
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Part rows of buckets into finer ones, block by block.

    Args:
        bucket: int64 [rows], ascending.
        candidate: int64 [rows].
        sketches: of the candidates.

    Yields:
        For every block buckets of two rows or more, numbered from 0, and their candidates, int64 [entries] each: of one
        bucket in the order that they were given in.
    """
    bounds = np.flatnonzero(np.diff(bucket, prepend=-1, append=-1))
    if len(bounds) < 2:
        return
    rows, place = distinct(candidate)
    counts = np.empty(_slots(int(np.diff(bounds).max())), np.uint8)
    for first in range(0, sketches.values, BLOCK):
        values = sketches.places(rows, slice(first, first + BLOCK))[place]
        keys = np.zeros(len(bucket), np.uint64)
        _rarest(bounds, values, counts, keys)
        chosen = np.flatnonzero(keys)
        group, at = group_keys(keys[chosen] | bucket[chosen].astype(np.uint64) << np.uint64(36), chosen)
        yield group, candidate[at]


@njit(cache=True, nogil=True)
def _slots(rows):  # type: ignore[no-untyped-def]
    """Of a table that takes a row alone for one of several in one case in sixteen or fewer: a power of two."""
    slots = 16
    while slots < 16 * rows:
        slots *= 2
    return slots


@njit(cache=True, nogil=True)
def _rarest(bounds, values, counts, keys):  # type: ignore[no-untyped-def]
    """Write of each row the value that is rarest in its bucket, of those that another row has too, and its place.

    Values are counted by a hash. Two that share a slot are taken for more common than they are, in every run alike.

    Args:
        bounds: int64 [buckets + 1], the buckets' first rows, and the end.
        values: uint32 [rows, places].
        counts: uint8 [slots], scratch.
        keys: uint64 [rows], 0 where a row has no such value.
    """
    for b in range(len(bounds) - 1):
        start, end = bounds[b], bounds[b + 1]
        slots = _slots(end - start)
        best = np.full(end - start, 256, np.int64)
        for k in range(values.shape[1]):
            counts[:slots] = 0
            for i in range(start, end):
                slot = (np.uint64(values[i, k]) * _FACTOR >> np.uint64(32)) & np.uint64(slots - 1)
                counts[slot] += counts[slot] < 255
            for i in range(start, end):
                slot = (np.uint64(values[i, k]) * _FACTOR >> np.uint64(32)) & np.uint64(slots - 1)
                if 1 < counts[slot] < best[i - start]:
                    best[i - start] = counts[slot]
                    keys[i] = np.uint64(k + 1) << np.uint64(32) | np.uint64(values[i, k])
