"""What a full bucket's centres leave over, compared in finer buckets.

Rows of a bucket that are like none of its centres, when it has as many as it may, have been compared with these only.
Two of them that agree in `joined` values or more are found by *prefix filtering* (Chaudhuri and others, *A Primitive
Operator for Similarity Joins in Data Cleaning*, ICDE 2006): order the values of every row in one way, the rarest of the
bucket first; then two rows that share `joined` of K values share one of the first K - joined + 1. So the rows are
grouped by each of these values that another row has too, and each group is searched as a bucket is. A pair is lost only
where every value of those that it shares is in more unlike rows than a group has centres: values that even the rarest
of a row are not rare.

A row is in at most K - joined + 1 groups, and in each is compared with a bounded number of others.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pipeline.curate.dedup.candidates import Sketches

__all__ = ["finer_buckets"]

Rows = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Buckets and candidates, int64 [rows] each."""


def finer_buckets(
    bucket: NDArray[np.int64],
    candidate: NDArray[np.int64],
    rank: NDArray[np.int64],
    sketches: Sketches,
    joined: int,
    *,
    at_once: int,
) -> Iterator[Rows]:
    """Group the rows that buckets leave over by the rarest values of their sketches.

    Args:
        bucket: int64 [rows], ascending.
        candidate: int64 [rows].
        rank: int64 [candidates].
        sketches: of the candidates.
        joined: equal values of a pair that is looked for.
        at_once: rows whose sketches are in memory together, or one bucket's.

    Yields:
        Buckets of two rows or more, in the order of (bucket, rank); in each chunk numbered from 0.
    """
    ends = np.flatnonzero(np.diff(bucket, append=-1)) + 1
    for start, end in _chunks(ends, at_once):
        here, rows = bucket[start:end], candidate[start:end]
        distinct, place = np.unique(rows, return_inverse=True)
        values = sketches[distinct][place]
        wanted = _prefixes(here, values, values.shape[1] - joined + 1)
        for column in range(values.shape[1]):
            chosen = np.flatnonzero(wanted[:, column])
            key = _keys(here[chosen], values[chosen, column])
            order = np.lexsort((rank[rows[chosen]], key))
            fresh = np.diff(key[order], prepend=~key[order[:1]]) != 0
            if len(chosen):
                yield np.cumsum(fresh) - 1, rows[chosen[order]]


def _chunks(ends: NDArray[np.int64], at_once: int) -> Iterator[tuple[int, int]]:
    """Whole buckets, about so many rows together."""
    last = ends[np.flatnonzero(np.diff(ends // at_once, append=-1))]
    yield from pairwise([0, *last.tolist()])


def _prefixes(bucket: NDArray[np.int64], values: NDArray[np.uint32], length: int) -> NDArray[np.bool_]:
    """Which values are among the `length` rarest of their row, and in another row of the bucket too: [rows, values]."""
    count = np.empty(values.shape, np.uint32)
    for column in range(values.shape[1]):
        _, which, sizes = np.unique(_keys(bucket, values[:, column]), return_inverse=True, return_counts=True)
        count[:, column] = sizes[which]
    # Of equally rare values the first comes first: one order of all values, whatever row they are in.
    wanted = np.zeros(values.shape, np.bool_)
    np.put_along_axis(wanted, np.argsort(count, axis=1, kind="stable")[:, :length], True, axis=1)
    wanted &= count > 1
    return wanted


def _keys(bucket: NDArray[np.int64], values: NDArray[np.uint32]) -> NDArray[np.uint64]:
    return bucket.astype(np.uint64) << np.uint64(32) | values
