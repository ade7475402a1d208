"""Buckets' rows compared with their centres."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pipeline.text.centres import STATE
from tests.text.cases import Case

__all__ = ["cases"]

SKETCHES = np.array([[1, 2, 3, 4], [1, 2, 3, 5], [9, 9, 3, 5], [7, 7, 7, 7]], np.uint32)
SKETCHES.flags.writeable = False


def cases() -> Iterator[Case]:
    """A row that begins a bucket; like centres, unlike them, like the row before only; with room, and without."""
    yield "centres.begin_bucket", (np.full(STATE, 9),)
    for centre in range(4):
        yield "centres.joined", (np.array([0, 0, 1, 3]), centre)
    for state in ([0, -1, -1, 0], [1, 5, 0, 0], [2, 5, 1, 0], [2, 6, -1, 1], [3, 6, 1, 0]):
        for sketch in SKETCHES:
            for rank, fixed in ((7, 0), (7, 8)):
                arrays = np.array([3, 2, 3, fixed]), np.array(state), SKETCHES[:3].copy(), np.array([3, 5, 4])
                written = np.zeros(6, np.int64), np.zeros(6, np.int64), np.zeros(6, np.int64)
                yield (
                    "centres.compare_row",
                    (sketch, rank, *arrays, np.array([0, 0, 2]), SKETCHES[2].copy(), *written, 1),
                )
