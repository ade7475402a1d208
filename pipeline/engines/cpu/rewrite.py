"""Kernels that write a row anew, over a column; and host functions on the rows that need them."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.engines.columns import from_arrow, to_arrow
from pipeline.engines.write import NOTHING, NOWHERE
from pipeline.text.boilerplate import remove_boilerplate
from pipeline.text.c4_lines import keep_c4_lines
from pipeline.text.controls import remove_controls
from pipeline.text.html_remnants import remove_html
from pipeline.text.kernel import compiled
from pipeline.text.licence_header import remove_licence_header
from pipeline.text.markdown import SCRATCH, plain_markdown
from pipeline.text.newlines import unify_newlines
from pipeline.text.quotes import straighten_quotes
from pipeline.text.signature import remove_signature
from pipeline.text.whitespace import trim_whitespace

__all__ = ["Rewrite", "put_rows", "rewrite_where"]


class Rewrite(IntEnum):
    """Kernels that write a row anew and share their arguments."""

    CONTROLS = 0
    NEWLINES = 1
    WHITESPACE = 2
    HTML = 3
    MARKDOWN = 4
    QUOTES = 5
    LICENCE_HEADER = 6
    SIGNATURE = 7
    BOILERPLATE = 8
    C4_LINES = 9


SAME_LENGTH = (Rewrite.NEWLINES, Rewrite.C4_LINES)
"""Kernels that may change a row and leave it as long as it was."""


def rewrite_where(
    which: Rewrite, texts: pa.LargeStringArray, chosen: np.ndarray
) -> tuple[pa.LargeStringArray, np.ndarray]:
    """Write the chosen rows anew with one kernel, as far as they change.

    Args:
        which: The kernel: one of `SAME_LENGTH`, or one that makes every row shorter that it changes.
        texts: n texts.
        chosen: bool (n).

    Returns:
        n texts, and which ones changed: bool (n).
    """
    column = from_arrow(texts)
    rows = np.flatnonzero(chosen)
    lengths = np.empty(len(rows), np.int64)
    rewrite_rows(int(which), column.buffer, column.bounds, rows, NOWHERE, lengths, NOTHING)
    if which not in SAME_LENGTH:
        changes = lengths != np.diff(column.bounds)[rows]
        rows, lengths = rows[changes], lengths[changes]
    changed = np.zeros(column.rows, np.bool_)
    changed[rows] = True
    if len(rows) == 0:
        return texts, changed
    bounds = np.concatenate(([0], np.cumsum(lengths)))
    output = np.empty(bounds[-1], np.uint8)
    rewrite_rows(int(which), column.buffer, column.bounds, rows, bounds, NOWHERE, output)
    return put_rows(texts, changed, to_arrow(output, bounds), certain=which not in SAME_LENGTH)


def put_rows(
    texts: pa.LargeStringArray, chosen: np.ndarray, new: pa.LargeStringArray, *, certain: bool
) -> tuple[pa.LargeStringArray, np.ndarray]:
    """Put new texts in the place of the chosen ones.

    Args:
        texts: n texts.
        chosen: bool (n), m of them true.
        new: m texts.
        certain: They are known to differ from the old ones.

    Returns:
        n texts, and which ones are not what they were: bool (n).
    """
    if chosen.all():
        old, result = texts, new
    else:
        mask = pa.array(chosen)
        old = None if certain else texts.filter(mask)
        result = pc.replace_with_mask(texts, mask, new)
    if certain:
        return result, chosen
    changed = chosen.copy()
    changed[chosen] = pc.not_equal(old, new).to_numpy(zero_copy_only=False)
    return (result if changed.any() else texts), changed


@compiled
def rewrite_rows(
    which: int,
    buffer: np.ndarray,
    bounds: np.ndarray,
    rows: np.ndarray,
    places: np.ndarray,
    lengths: np.ndarray,
    output: np.ndarray,
) -> None:
    """Run one of `Rewrite` over `rows`: with empty `places` measure the new `lengths`, else write from `places` on."""
    scratch = np.empty(SCRATCH, np.int64)
    for k in range(len(rows)):
        start = bounds[rows[k]]
        end = bounds[rows[k] + 1]
        at = places[k] if len(places) else -1
        if which == 0:
            length = remove_controls(buffer, start, end, output, at)
        elif which == 1:
            length = unify_newlines(buffer, start, end, output, at)
        elif which == 2:
            length = trim_whitespace(buffer, start, end, output, at)
        elif which == 3:
            length = remove_html(buffer, start, end, output, at, scratch)
        elif which == 4:
            length = plain_markdown(buffer, start, end, output, at, scratch)
        elif which == 5:
            length = straighten_quotes(buffer, start, end, output, at)
        elif which == 6:
            length = remove_licence_header(buffer, start, end, output, at)
        elif which == 7:
            length = remove_signature(buffer, start, end, output, at)
        elif which == 8:
            length = remove_boilerplate(buffer, start, end, output, at)
        else:
            length = keep_c4_lines(buffer, start, end, output, at)
        if len(places) == 0:
            lengths[k] = length
