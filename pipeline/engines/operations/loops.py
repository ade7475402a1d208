"""Loops over the rows of a column that a kernel writes anew.

Each takes which of its kernels to run, the column's buffer and bounds, the rows (int64), and `places`, `lengths` and
`output`, one entry of the first two for each of the rows. `edge_rows` is one for `Launcher.pack`. The others are as of
`pipeline.engines.write`: with empty `places` they measure the new `lengths`, else they write row k from `places[k]` on.
"""

from __future__ import annotations

import numpy as np

from pipeline.text.boilerplate import remove_boilerplate
from pipeline.text.c4_lines import keep_c4_lines
from pipeline.text.controls import remove_controls
from pipeline.text.html_remnants import remove_html
from pipeline.text.kernel import compiled
from pipeline.text.licence_header import remove_licence_header
from pipeline.text.markdown import plain_markdown
from pipeline.text.newlines import unify_newlines
from pipeline.text.quotes import straighten_quotes
from pipeline.text.signature import remove_signature
from pipeline.text.whitespace import trim_whitespace

__all__ = ["edge_rows", "header_rows", "markup_rows", "passage_rows"]


@compiled
def edge_rows(
    first: int,
    last: int,
    which: int,
    buffer: np.ndarray,
    bounds: np.ndarray,
    rows: np.ndarray,
    places: np.ndarray,
    lengths: np.ndarray,
    output: np.ndarray,
) -> None:
    """Controls, line breaks, whitespace: what is flagged changes, and never grows, so it is written at once."""
    at = 0
    for k in range(first, last):
        if len(places):
            at = places[k]
        start = bounds[rows[k]]
        end = bounds[rows[k] + 1]
        if which == 0:
            length = remove_controls(buffer, start, end, output, at)
        elif which == 1:
            length = unify_newlines(buffer, start, end, output, at)
        else:
            length = trim_whitespace(buffer, start, end, output, at)
        lengths[k] = length
        at += length


@compiled
def header_rows(
    first: int,
    last: int,
    which: int,
    buffer: np.ndarray,
    bounds: np.ndarray,
    rows: np.ndarray,
    places: np.ndarray,
    lengths: np.ndarray,
    output: np.ndarray,
) -> None:
    """Licence headers."""
    for k in range(first, last):
        start = bounds[rows[k]]
        end = bounds[rows[k] + 1]
        at = places[k] if len(places) else -1
        length = remove_licence_header(buffer, start, end, output, at)
        if len(places) == 0:
            lengths[k] = length


@compiled
def markup_rows(
    first: int,
    last: int,
    which: int,
    buffer: np.ndarray,
    bounds: np.ndarray,
    rows: np.ndarray,
    places: np.ndarray,
    lengths: np.ndarray,
    output: np.ndarray,
    scratch: np.ndarray,
) -> None:
    """HTML, Markdown, quotation marks; the scratch is `pipeline.text.markdown.SCRATCH` values long."""
    for k in range(first, last):
        start = bounds[rows[k]]
        end = bounds[rows[k] + 1]
        at = places[k] if len(places) else -1
        if which == 0:
            length = remove_html(buffer, start, end, output, at, scratch)
        elif which == 1:
            length = plain_markdown(buffer, start, end, output, at, scratch)
        else:
            length = straighten_quotes(buffer, start, end, output, at)
        if len(places) == 0:
            lengths[k] = length


@compiled
def passage_rows(
    first: int,
    last: int,
    which: int,
    buffer: np.ndarray,
    bounds: np.ndarray,
    rows: np.ndarray,
    places: np.ndarray,
    lengths: np.ndarray,
    output: np.ndarray,
) -> None:
    """Signatures, boilerplate, lines of C4."""
    for k in range(first, last):
        start = bounds[rows[k]]
        end = bounds[rows[k] + 1]
        at = places[k] if len(places) else -1
        if which == 0:
            length = remove_signature(buffer, start, end, output, at)
        elif which == 1:
            length = remove_boilerplate(buffer, start, end, output, at)
        else:
            length = keep_c4_lines(buffer, start, end, output, at)
        if len(places) == 0:
            lengths[k] = length
