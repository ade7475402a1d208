"""The numbers about every text."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from pipeline.engines.columns import from_arrow
from pipeline.text.hashing import slots_for
from pipeline.text.kernel import compiled
from pipeline.text.signals import MEASURES, derive, measure

__all__ = ["signals"]


def signals(texts: pa.LargeStringArray) -> dict[str, np.ndarray]:
    """Measure every text.

    Args:
        texts: n texts.

    Returns:
        One array of n values a signal, named and typed as in `schema.SIGNALS`; `pipeline.text.signals` says how each
        is computed.
    """
    column = from_arrow(texts)
    # Memory that is never touched costs nothing, so the scratch is made for a text of one-letter words.
    words = (int(np.diff(column.bounds).max(initial=0)) + 1) // 2
    slots = slots_for(words)
    measures = np.empty((column.rows, len(MEASURES)), np.int64)
    measure_rows(
        column.buffer,
        column.bounds,
        np.empty((3, words), np.uint64),
        np.empty(words, np.int64),
        np.empty(slots, np.uint64),
        np.empty(slots, np.uint64),
        measures,
    )
    return derive(measures)


@compiled
def measure_rows(
    buffer: np.ndarray,
    bounds: np.ndarray,
    hashes: np.ndarray,
    lengths: np.ndarray,
    keys: np.ndarray,
    tallies: np.ndarray,
    measures: np.ndarray,
) -> None:
    """Measure every row; the scratch suits the longest."""
    for row in range(len(bounds) - 1):
        measure(buffer, bounds[row], bounds[row + 1], hashes, lengths, keys, tallies, measures[row])
