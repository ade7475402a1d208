"""Near duplicates as stars: a row is removed only if it is similar to the survivor kept instead of it.

Rows are taken best first. A row is compared with the survivors it shares a bucket with (a bucket: the rows that agree
in one band); if one reaches the threshold, the row is removed in favour of the most similar one (the better-ranked
where equal), else it survives. So no row is removed by a chain of resemblances, and two rows that share a bucket and
both survive are known to be unlike.

Clusters are looser than stars on purpose: everything connected by a similarity that was verified, down to a lower
threshold that allows for the error of the estimate. Splits are drawn by
cluster, so even the two ends of a chain stay on one side of a split.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["stars"]


def stars(
    buckets: NDArray[np.int64], sketches: NDArray[np.uint32], threshold: float, lower: float | None = None
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
    """Choose survivors among candidate rows.

    Args:
        buckets: [rows, bands] number of the bucket (0…, unique over bands) that a row shares with another, or -1.
            Rows are in survivor order, best first.
        sketches: [rows, values].
        threshold: share of equal values at which a row is a duplicate.
        lower: share at which two rows are of one cluster; `threshold` unless given.

    Returns:
        survivor [rows] (a row that survives is its own), similarity to it [rows], cluster root [rows] (the best-ranked
        row of the cluster).
    """
    count = int(buckets.max()) + 1 if buckets.size else 0
    needed, joined = (
        int(np.ceil(share * sketches.shape[1] - 1e-9)) for share in (threshold, threshold if lower is None else lower)
    )
    survivor, agreeing, root = _stars(buckets, sketches, needed, joined, count)
    return survivor, agreeing / max(1, sketches.shape[1]), root


@njit(cache=True, nogil=True)
def _find(parent, row):  # type: ignore[no-untyped-def]
    while parent[row] != row:
        parent[row] = parent[parent[row]]
        row = parent[row]
    return row


@njit(cache=True, nogil=True)
def _union(parent, a, b):  # type: ignore[no-untyped-def]
    a, b = _find(parent, a), _find(parent, b)
    if a < b:
        parent[b] = a
    else:
        parent[a] = b


@njit(cache=True, nogil=True)
def _agreeing(sketches, a, b):  # type: ignore[no-untyped-def]
    equal = 0
    for k in range(sketches.shape[1]):
        equal += sketches[a, k] == sketches[b, k]
    return equal


@njit(cache=True, nogil=True)
def _stars(buckets, sketches, needed, joined, count):  # type: ignore[no-untyped-def]
    rows, bands = buckets.shape
    survivor = np.arange(rows)
    best = np.full(rows, sketches.shape[1], dtype=np.int64)
    root = np.arange(rows)
    # A linked list of survivors for each bucket, and the bucket's last row, survivor or not.
    head = np.full(count, -1, dtype=np.int64)
    following = np.full(rows * bands, -1, dtype=np.int64)
    member = np.empty(rows * bands, dtype=np.int64)
    last = np.full(count, -1, dtype=np.int64)
    filled = 0
    seen = np.full(rows, -1, dtype=np.int64)
    for row in range(rows):
        chosen, most = -1, needed - 1
        for band in range(bands):
            bucket = buckets[row, band]
            if bucket < 0:
                continue
            at = head[bucket]
            while at >= 0:
                other = member[at]
                at = following[at]
                if seen[other] == row:
                    continue
                seen[other] = row
                equal = _agreeing(sketches, row, other)
                if equal < joined:
                    continue
                _union(root, row, other)
                if equal > most or (equal == most and other < chosen):
                    chosen, most = other, equal
            other = last[bucket]
            if other >= 0 and seen[other] != row:
                seen[other] = row
                if _agreeing(sketches, row, other) >= joined:
                    _union(root, row, other)
            last[bucket] = row
        if chosen >= 0:
            survivor[row], best[row] = chosen, most
            continue
        for band in range(bands):
            bucket = buckets[row, band]
            if bucket >= 0:
                member[filled], following[filled] = row, head[bucket]
                head[bucket] = filled
                filled += 1
    for row in range(rows):
        root[row] = _find(root, row)
    return survivor, best, root
