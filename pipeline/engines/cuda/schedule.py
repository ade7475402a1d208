"""Which rows a GPU works on in one launch, longest first, and which long ones are left to the processor.

A kernel reads its row from front to back, so a row takes one thread, and a launch lasts at least as long as its longest
row. A core of the processor reads a single row many times as fast as one thread of a GPU. So a few rows that are much
longer than all others are left to it, and where all rows are long none is: thousands of them side by side are work for
a GPU. Neighbouring threads get rows of about the same length, since those of a warp wait for each other.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

__all__ = ["HOST_SPEED", "LONG", "Plan", "plan"]

HOST_SPEED = 16
"""How many times as fast a core works on a row as a thread of a GPU: taken for granted, not measured."""

LONG = 64 << 10
"""Bytes of a row from which on it may be left to the processor."""

_STEP = 4
"""Rows of one launch differ in length by less than this, where scratch grows with a row."""

_SHORT = 256
"""Bytes below which no distinction is made."""


class Plan(NamedTuple):
    """Who works on which rows.

    Attributes:
        launches: int64 arrays of rows, in each the longest first; launches too come with the longest rows first.
        host: int64 array of rows that are left to the processor.
    """

    launches: list[np.ndarray]
    host: np.ndarray


def plan(work: np.ndarray, *, by_length: bool) -> Plan:
    """Distribute rows.

    Args:
        work: int64 (n), the bytes of each.
        by_length: Whether rows of very different lengths go into launches of their own.
    """
    order = np.argsort(-work, kind="stable")
    sizes = work[order].astype(np.float64)
    long = int(np.searchsorted(-sizes, -LONG, "left"))
    # With the m longest rows left to the processor, it takes their bytes, and the GPU at least the next row.
    spent = np.concatenate(([0.0], np.cumsum(sizes[:long]))) / HOST_SPEED
    following = np.concatenate((sizes, [0.0]))[: long + 1]
    left = int(np.argmin(spent + following))
    here = order[left:]
    if not by_length or not len(here):
        return Plan([here] if len(here) else [], order[:left])
    levels = np.ceil(np.log(np.maximum(sizes[left:], _SHORT) / _SHORT) / np.log(_STEP)).astype(np.int64)
    return Plan(np.split(here, 1 + np.flatnonzero(np.diff(levels))), order[:left])
