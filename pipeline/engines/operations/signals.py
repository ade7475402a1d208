"""The numbers about every text."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from pipeline.engines.columns import from_arrow
from pipeline.engines.launch import Out, Scratch, launcher
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
    measures = np.empty((column.rows, MEASURES), np.int64)
    code_measures = np.empty((column.rows, len(CODE_MEASURES)), np.int64)
    launcher().run(
        measure_rows,
        np.diff(column.bounds),
        *column,
        np.ascontiguousarray(families, np.int64),
        *_SCRATCH,
        Out(measures),
        Out(code_measures),
    )
    measures = np.asfortranarray(measures)  # it is read by columns from here on
    found = derive(measures)
    return found | derive_phrases(measures) | derive_code(code_measures, found["char_count"])


def _words(longest: int) -> int:
    """As many words as a text may have that are compared: for one of one-letter words."""
    return min((longest + 1) // 2, WORDS_COMPARED)


_SCRATCH = (
    Scratch(lambda longest: (_words(longest),), np.uint32),
    Scratch(lambda longest: (_words(longest),), np.uint32),
    Scratch(lambda longest: (_words(longest),), np.uint64),
    Scratch(lambda longest: (table_size(_words(longest)),), np.uint32),
    Scratch(lambda longest: (4, _words(longest)), np.uint32),
    Scratch(lambda longest: (part_table_size(longest),), np.uint64),
    Scratch(lambda longest: (STATE,), np.int64),
    Scratch(lambda longest: (3,), np.uint64),
)
"""What `measure` writes into, in its order; for a text of one-letter words and empty lines."""


@compiled
def measure_rows(
    first: int,
    last: int,
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
    for row in range(first, last):
        start = bounds[row]
        end = bounds[row + 1]
        measure(buffer, start, end, words, lengths, vocabulary, table, grams, parts, state, folds, measures[row])
        measure_code(buffer, start, end, families[row], code_measures[row])
