"""The numbers about every text."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from pipeline.engines.columns import from_arrow
from pipeline.text.code import CODE_MEASURES, derive_code, measure_code
from pipeline.text.derive import derive
from pipeline.text.hashing import table_size
from pipeline.text.kernel import compiled
from pipeline.text.measures import MEASURES
from pipeline.text.phrases import derive_phrases
from pipeline.text.repeats import STATE, part_table_size
from pipeline.text.signals import WORDS_COMPARED, measure

__all__ = ["signals"]


def signals(texts: pa.LargeStringArray, families: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Measure every text.

    Args:
        texts: n texts.
        families: int8 (n), the comment syntax of each, a place in `text.comments.FAMILIES` or below 0 where it is not
            known; None where none is.

    Returns:
        One array of n values for each of `pipeline.signals.MEASURED`, which says how each is computed.

    Raises:
        ValueError: A text is null, or there are not as many families as texts.
    """
    column = from_arrow(texts)
    if families is None:
        families = np.full(column.rows, -1, np.int8)
    if families.shape != (column.rows,):
        raise ValueError(f"{column.rows} texts need as many families, not an array of shape {families.shape}")
    longest = int(np.diff(column.bounds).max(initial=0))
    # Memory that is never touched costs nothing, so the scratch is made for a text of one-letter words and empty lines.
    words = min((longest + 1) // 2, WORDS_COMPARED)
    measures = np.empty((column.rows, MEASURES), np.int64)
    code_measures = np.empty((column.rows, len(CODE_MEASURES)), np.int64)
    measure_rows(
        column.buffer,
        column.bounds,
        np.ascontiguousarray(families, np.int64),
        np.empty(words, np.uint32),
        np.empty(words, np.uint32),
        np.empty(words, np.uint64),
        np.empty(table_size(words), np.uint32),
        np.empty((4, words), np.uint32),
        np.empty(part_table_size(longest), np.uint64),
        np.empty(STATE, np.int64),
        np.empty(3, np.uint64),
        measures,
        code_measures,
    )
    measures = np.asfortranarray(measures)  # it is read by columns from here on
    found = derive(measures)
    return found | derive_phrases(measures) | derive_code(code_measures, found["char_count"])


@compiled
def measure_rows(
    buffer: np.ndarray,
    bounds: np.ndarray,
    families: np.ndarray,
    words: np.ndarray,
    lengths: np.ndarray,
    vocabulary: np.ndarray,
    table: np.ndarray,
    grams: np.ndarray,
    parts: np.ndarray,
    state: np.ndarray,
    folds: np.ndarray,
    measures: np.ndarray,
    code_measures: np.ndarray,
) -> None:
    """Measure every row, as text and as code; the scratch suits the longest."""
    for row in range(len(bounds) - 1):
        start = bounds[row]
        end = bounds[row + 1]
        measure(buffer, start, end, words, lengths, vocabulary, table, grams, parts, state, folds, measures[row])
        measure_code(buffer, start, end, families[row], code_measures[row])
