"""How many threads of a GPU a row takes, which rows a launch works on, longest first, and which the processor does.

A kernel reads from front to back, so what it reads takes one thread, and a launch lasts at least as long as the longest
of that. Where a kernel can begin anywhere in a row (`text.segments`), rows of `2 * SEGMENT` bytes and more are cut, and
each segment takes a thread: a row of 32 is a warp's work, one of 128 a block's. All but a row's last are of one length
and stay beside each other, so a warp reads one stretch of one text, and a launch lasts as long as it takes to read two
segments (but for words, where a text without spaces has one). Threads that share nothing run the loops that the
processor runs; a warp that took a text together would need kernels of its own, whose bits would have to be proved equal
once more.

Other kernels take a thread a row, however long. A core of the processor reads a single row many times as fast as one
thread of a GPU. So a few rows that are much longer than all others are left to it, and where all rows are long none is:
thousands of them side by side are work for a GPU. Neighbouring threads get rows of about the same length, since those
of a warp wait for each other.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pipeline.engines.segments import Segments, cut_rows

__all__ = ["HOST_SPEED", "LONG", "SEGMENT", "Plan", "cut", "plan"]

SEGMENT = 8 << 10
"""Bytes of a segment. A sketch of K values leaves 8 K bytes a segment to be merged: for 128 an eighth of its text. What
is read at once, 256 MiB, has 32 768 of them, however few its rows."""

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


def cut(work: np.ndarray) -> Segments:
    """Cut the rows that take several threads, for a loop that can work on segments.

    Args:
        work: int64 (n), the bytes of each row.
    """
    return cut_rows(work, SEGMENT)


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
