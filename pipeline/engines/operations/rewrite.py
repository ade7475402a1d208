"""Kernels that write a row anew, over a column."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
import pyarrow as pa

from pipeline.engines.columns import from_arrow, to_arrow
from pipeline.engines.launch import Loop, Out, Scratch, bounds_of, launcher
from pipeline.engines.operations.loops import edge_rows, header_rows, markup_rows, passage_rows
from pipeline.engines.operations.rows import put_rows
from pipeline.engines.write import NOTHING, NOWHERE
from pipeline.text.markdown import SCRATCH

__all__ = ["Rewrite", "rewrite_where"]


class Rewrite(IntEnum):
    """Kernels that write a row anew and share their arguments; the tens digit names the loop that runs them."""

    CONTROLS = 0
    NEWLINES = 1
    WHITESPACE = 2
    LICENCE_HEADER = 10
    HTML = 20
    MARKDOWN = 21
    QUOTES = 22
    SIGNATURE = 30
    BOILERPLATE = 31
    C4_LINES = 32


_MARKS = Scratch(lambda longest: (SCRATCH,), np.int64)

LOOPS: dict[int, tuple[Loop, tuple[Scratch, ...]]] = {
    1: (header_rows, ()),
    2: (markup_rows, (_MARKS,)),
    3: (passage_rows, ()),
}
"""By the tens digit, beside `edge_rows`: the loop, and the scratch that it takes last.

Kernels that hardly a run uses are in loops of their own, so that they are compiled only where they are used.
"""

SAME_LENGTH = (Rewrite.C4_LINES,)
"""Kernels that may change a row and leave it as long as it was."""

EXACT = (Rewrite.CONTROLS, Rewrite.NEWLINES, Rewrite.WHITESPACE)
"""Kernels whose flags are exact: they change every row that they are for, and make none longer."""


def rewrite_where(
    which: Rewrite, texts: pa.LargeStringArray, chosen: np.ndarray
) -> tuple[pa.LargeStringArray, np.ndarray]:
    """Write the chosen rows anew with one kernel, as far as they change.

    Args:
        which: The kernel: one of `EXACT` or of `SAME_LENGTH`, or one that makes every row shorter that it changes.
        texts: n texts.
        chosen: bool (n); for one of `EXACT`, flagged by `pipeline.text.suspects`.

    Returns:
        n texts, and which ones changed: bool (n).
    """
    column = from_arrow(texts)
    rows = np.flatnonzero(chosen)
    before = np.diff(column.bounds)[rows]
    if which in EXACT:
        (output,), bounds = launcher().pack(edge_rows, before, before, [np.uint8], int(which), *column, rows)
        # An earlier cleaner may have changed what the flag was for.
        certain = bool((np.diff(bounds) < before).all())
        return put_rows(texts, chosen, to_arrow(output, bounds), certain=certain)
    loop, scratch = LOOPS[which // 10]
    lengths = np.empty(len(rows), np.int64)
    launcher().run(loop, before, which % 10, *column, rows, NOWHERE, Out(lengths), NOTHING, *scratch)
    if which not in SAME_LENGTH:
        changes = lengths != before
        rows, lengths, before = rows[changes], lengths[changes], before[changes]
    changed = np.zeros(column.rows, np.bool_)
    changed[rows] = True
    if len(rows) == 0:
        return texts, changed
    bounds = bounds_of(lengths)
    output = np.empty(bounds[-1], np.uint8)
    launcher().run(loop, before, which % 10, *column, rows, bounds, NOWHERE, Out(output, bounds), *scratch)
    return put_rows(texts, changed, to_arrow(output, bounds), certain=which not in SAME_LENGTH)
