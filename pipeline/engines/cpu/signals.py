"""The numbers about every text."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from pipeline.engines.columns import TextColumn, from_arrow
from pipeline.text.derive import derive
from pipeline.text.hashing import slots_for
from pipeline.text.kernel import compiled
from pipeline.text.measures import MEASURES
from pipeline.text.repeats import STATE, part_slots
from pipeline.text.signals import WORDS_COMPARED, measure

__all__ = ["signals"]


def signals(texts: pa.LargeStringArray, families: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Measure every text.

    Args:
        texts: n texts.
        families: int8 (n), the comment syntax of each; None where none is known.

    Returns:
        One array of n values for each of `pipeline.signals.MEASURED`, which says how each is computed.
    """
    return _document_signals(from_arrow(texts))


def _document_signals(column: TextColumn) -> dict[str, np.ndarray]:
    """What `pipeline.text.signals` measures."""
    longest = int(np.diff(column.bounds).max(initial=0))
    # Memory that is never touched costs nothing, so the scratch is made for a text of one-letter words and empty lines.
    words = min((longest + 1) // 2, WORDS_COMPARED)
    measures = np.empty((column.rows, MEASURES), np.int64)
    measure_rows(
        column.buffer,
        column.bounds,
        np.empty(128, np.int64),
        np.empty((5, words), np.uint32),
        np.empty(words, np.uint64),
        np.empty(slots_for(words), np.uint32),
        np.empty(part_slots(longest), np.uint64),
        np.empty(STATE, np.int64),
        np.empty(3, np.uint64),
        measures,
    )
    return derive(measures)


@compiled
def measure_rows(
    buffer: np.ndarray,
    bounds: np.ndarray,
    ascii_counts: np.ndarray,
    grams: np.ndarray,
    vocabulary: np.ndarray,
    table: np.ndarray,
    parts: np.ndarray,
    state: np.ndarray,
    folds: np.ndarray,
    measures: np.ndarray,
) -> None:
    """Measure every row; the scratch suits the longest."""
    for row in range(len(bounds) - 1):
        start = bounds[row]
        end = bounds[row + 1]
        measure(buffer, start, end, ascii_counts, grams, vocabulary, table, parts, state, folds, measures[row])
