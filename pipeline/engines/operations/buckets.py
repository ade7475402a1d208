"""Rows that agree in a band, compared bucket by bucket."""

from __future__ import annotations

import numpy as np

from pipeline.engines.launch import Out, Scratch, launcher
from pipeline.text.centres import STATE, begin_bucket, compare_row
from pipeline.text.kernel import compiled, int64

__all__ = ["compare_buckets"]


def compare_buckets(
    bounds: np.ndarray,
    ranks: np.ndarray,
    places: np.ndarray,
    sketches: np.ndarray,
    agreement: np.ndarray,
    centres: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Compare the rows of every bucket with its centres, as `pipeline.text.centres` says.

    Args:
        bounds: int64 (m + 1); bucket b has the rows `bounds[b]…bounds[b + 1] - 1`.
        ranks: int64 (n), of each row; within a bucket ascending.
        places: int64 (n), where each row's sketch stands in
        sketches: uint32 (d, K).
        agreement: int64 (4), as of `compare_row`.
        centres: Of a bucket at most.

    Returns:
        The edges, int64 (3, e): worse rank, better rank, equal values; and which rows would be centres, were there
        room: bool (n).
    """
    rows, values = np.diff(bounds), sketches.shape[1]
    # Row i of a bucket has an edge to each centre before it, and one to the row before it, at most.
    full = np.maximum(rows - centres, 0)
    room = (rows - full) * (rows - full + 1) // 2 + full * (centres + 1)
    over = np.zeros(len(ranks), np.bool_)
    scratch = (
        Scratch(lambda longest: (STATE,), np.int64),
        Scratch(lambda longest: (centres, values), np.uint32),
        Scratch(lambda longest: (centres,), np.int64),
        Scratch(lambda longest: (centres,), np.int64),
        Scratch(lambda longest: (values,), np.uint32),
    )
    arrays = bounds, ranks, places, np.ascontiguousarray(sketches), np.ascontiguousarray(agreement)
    kinds = (np.int64,) * 3
    edges, _ = launcher().pack(bucket_rows, 4 * values * room, room, kinds, *arrays, *scratch, Out(over))
    return np.stack(edges), over


@compiled
def bucket_rows(
    first: int,
    last: int,
    bounds: np.ndarray,
    ranks: np.ndarray,
    sketch_places: np.ndarray,
    sketches: np.ndarray,
    agreement: np.ndarray,
    state: np.ndarray,
    kept: np.ndarray,
    names: np.ndarray,
    joins: np.ndarray,
    before: np.ndarray,
    over: np.ndarray,
    places: np.ndarray,
    lengths: np.ndarray,
    worse: np.ndarray,
    better: np.ndarray,
    equal: np.ndarray,
) -> None:
    """Write the edges of every bucket; for `Launcher.pack`."""
    at = int64(0)  # not a literal, for which the kernel would be compiled a second time
    for b in range(first, last):
        if len(places):
            at = places[b]
        start = at
        begin_bucket(state)
        for i in range(bounds[b], bounds[b + 1]):
            sketch = sketches[sketch_places[i]]
            at += compare_row(sketch, ranks[i], agreement, state, kept, names, joins, before, worse, better, equal, at)
            over[i] = state[3] != 0
        lengths[b] = at - start
