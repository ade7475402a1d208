"""The rows of a bucket compared with its centres, row by row: which are alike, and which is a centre itself."""

from __future__ import annotations

import numpy as np

from pipeline.text.bands import count_equal
from pipeline.text.kernel import declare, int64

__all__ = ["STATE", "begin_bucket", "compare_row"]

STATE = 4
"""Values of `state`: how many centres there are, the rank of the row before and a centre that this is connected with
(-1 each where there is none), and whether the last row would be a centre, were there room for one more."""


@declare("int64(int64[::1])", inline=True)
def begin_bucket(state: np.ndarray) -> int:
    """Forget the bucket before."""
    state[0] = 0
    state[1] = -1
    state[2] = -1
    state[3] = 0
    return 0


@declare("int64(int64[::1], int64)", inline=True)
def joined(joins: np.ndarray, centre: int) -> int:
    """Return the first of the centres that edges connect with a centre."""
    while joins[centre] != centre:
        joins[centre] = joins[joins[centre]]
        centre = joins[centre]
    return int64(centre)


@declare(
    "int64(uint32[::1], int64, int64[::1], int64[::1], uint32[:,::1], int64[::1], int64[::1], uint32[::1], "
    "int64[::1], int64[::1], int64[::1], int64)",
    inline=True,
)
def compare_row(
    sketch: np.ndarray,
    rank: int,
    agreement: np.ndarray,
    state: np.ndarray,
    kept: np.ndarray,
    names: np.ndarray,
    joins: np.ndarray,
    last: np.ndarray,
    worse: np.ndarray,
    better: np.ndarray,
    equal: np.ndarray,
    at: int,
) -> int:
    """Compare one row of a bucket, whose rows come by rank, and return how many edges it has.

    Args:
        sketch: The row's K values.
        rank: The row's.
        agreement: How many values must be equal for a duplicate, for a common cluster, and for an edge in any case; and
            below which rank a row is a centre in any case.
        state: What is known of the bucket, `STATE` values, after `begin_bucket`.
        kept: The sketches of its centres, as many as there is room for.
        names: Their ranks.
        joins: A forest: each is connected with that one, of lower number or its own.
        last: The sketch of the row before.
        worse: Where to write this row's rank for every edge, one more than there are centres at most.
        better: Where to write the other's rank.
        equal: Where to write how many values are equal.
        at: Where in these three.
    """
    needed, common, told, fixed = agreement[0], agreement[1], agreement[2], agreement[3]
    filled, before, trail = state[0], state[1], state[2]
    count = int64(0)
    alike = int64(0)
    linked = int64(before < 0)
    with_ = int64(-1)  # the first of the centres that the row is connected with
    for c in range(filled):
        same = count_equal(sketch, kept[c])
        if same >= common:
            other = joined(joins, c)
            if same >= told or other != with_:
                worse[at + count] = rank
                better[at + count] = names[c]
                equal[at + count] = same
                count += 1
            first = other if with_ < 0 else min(with_, other)
            joins[max(with_, other)] = first
            with_ = first
            if same >= needed:
                alike = 1
        if names[c] == before:
            linked = 1
    if linked == 0:
        same = count_equal(sketch, last)
        if same >= common:
            other = joined(joins, trail) if trail >= 0 else int64(-1)
            if same >= told or other < 0 or other != with_:
                worse[at + count] = rank
                better[at + count] = before
                equal[at + count] = same
                count += 1
            if other >= 0:
                first = other if with_ < 0 else min(with_, other)
                joins[max(with_, other)] = first
                with_ = first
    state[3] = 0
    if alike == 0 or rank < fixed:
        if filled == len(names):
            state[3] = 1
        else:
            for k in range(len(sketch)):
                kept[filled, k] = sketch[k]
            names[filled] = rank
            with_ = with_ if with_ >= 0 else filled
            joins[filled] = with_
            state[0] = filled + 1
    state[1] = rank
    state[2] = with_
    for k in range(len(sketch)):
        last[k] = sketch[k]
    return count
