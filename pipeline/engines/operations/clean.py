"""Texts cleaned: one scan says which rows need which cleaners, and only those rows are written."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.engines import CLEANERS, CLEANING_ROUNDS
from pipeline.engines.columns import from_arrow, places_of_both, to_arrow
from pipeline.engines.launch import Out, launcher
from pipeline.engines.normal_forms import normal_form
from pipeline.engines.operations.names import known
from pipeline.engines.operations.replace import replace
from pipeline.engines.operations.rewrite import Rewrite, rewrite_where
from pipeline.engines.operations.rows import filter_rows, put_rows, take_rows
from pipeline.engines.spans import Spans, values_of
from pipeline.engines.unicode_repair import characters, follow, repair_lines
from pipeline.text.kernel import compiled
from pipeline.text.suspects import BREAK, CONTROL, MARKDOWN, MARKUP, MOJIBAKE, QUOTE, SPACE, UNNORMAL, suspects

__all__ = ["clean", "clean_until_stable"]

LINE_FEED = 10

Change = Callable[[pa.LargeStringArray, np.ndarray], tuple[pa.LargeStringArray, np.ndarray]]
"""Texts, and bool (n) which ones may change → texts, and bool (n) which ones did."""


def clean(contents: pa.LargeStringArray, cleaners: Sequence[str]) -> pa.LargeStringArray:
    """Clean every text.

    Args:
        contents: n texts.
        cleaners: Of `CLEANERS`. They run in the order of `CLEANERS` however they are listed, again and again over the
            rows that they change, until cleaning what is clean changes nothing.

    Returns:
        n texts. One that does not settle (`clean_until_stable`) stays as it came.

    Raises:
        ValueError: A cleaner is unknown.
    """
    return clean_until_stable(contents, cleaners)[0]


def clean_until_stable(
    contents: pa.LargeStringArray, cleaners: Sequence[str]
) -> tuple[pa.LargeStringArray, np.ndarray]:
    """Clean every text, and say which ones have come to rest.

    Args:
        contents: n texts.
        cleaners: As of `clean`.

    Returns:
        n texts, and whether each came to rest within `CLEANING_ROUNDS`: bool (n). One that did not (markup nested
        deeper than that) is returned as it came.

    Raises:
        ValueError: A cleaner is unknown.
    """
    known(cleaners, CLEANERS, "cleaner")
    steps = [step for cleaner in CLEANERS if cleaner in cleaners for step in STEPS[cleaner]]
    settled = np.ones(len(contents), np.bool_)
    wanted = 0
    for bits, _ in steps:
        wanted |= bits
    rows = np.arange(len(contents))
    texts = contents
    result = contents
    active = settled
    for _ in range(CLEANING_ROUNDS):
        here = np.flatnonzero(active)
        if 2 * len(here) < len(rows):  # else they are worked on where they are, which spares a copy
            rows, active, texts = rows[here], active[here], take_rows(texts, here)
        flags = np.where(active, flags_of(texts), 0)
        here = np.flatnonzero(flags & wanted)
        if len(here) == 0:
            return result, settled
        if 2 * len(here) < len(rows):
            rows, flags, texts = rows[here], flags[here], take_rows(texts, here)
        changed = np.zeros(len(rows), np.bool_)
        for bits, change in steps:
            chosen = flags & bits != 0
            if chosen.any():
                texts, these = change(texts, chosen)
                changed |= these
        if not changed.any():
            return result, settled
        if len(rows) == len(result):
            result = texts
        else:
            places = _mask(rows[changed], len(result))
            result = put_rows(result, places, filter_rows(texts, changed), certain=True)[0]
        active = changed
    settled[rows[active]] = False
    return put_rows(result, ~settled, filter_rows(contents, ~settled), certain=True)[0], settled


def _mask(rows: np.ndarray, count: int) -> np.ndarray:
    mask = np.zeros(count, np.bool_)
    mask[rows] = True
    return mask


def flags_of(texts: pa.LargeStringArray) -> np.ndarray:
    """Return what each text holds, flags of `pipeline.text.suspects`, and `ALWAYS`: int64 (n)."""
    column = from_arrow(texts)
    flags = np.empty(column.rows, np.int64)
    launcher().run(suspect_rows, np.diff(column.bounds), *column, characters(), follow(), Out(flags))
    return flags | ALWAYS


def repair(texts: pa.LargeStringArray, chosen: np.ndarray) -> tuple[pa.LargeStringArray, np.ndarray]:
    """Undo wrong decodings in the chosen rows."""
    some = filter_rows(texts, chosen)
    column = from_arrow(some)
    first, last = column.bounds[0], column.bounds[-1]
    breaks = first + 1 + np.flatnonzero(column.buffer[first:last] == LINE_FEED)
    # Lines where they are: one is looked at with its line break, which a regular expression of ftfy's counts as
    # whitespace, or with one put behind it at the end of a text.
    bounds = places_of_both(column.bounds, breaks)
    lines = to_arrow(column.buffer, bounds)
    flagged = flags_of(lines) & MOJIBAKE != 0
    broken = column.buffer[bounds[1:] - 1] == LINE_FEED
    line_feed, nothing = (pa.scalar(text, pa.large_string()) for text in ("\n", ""))
    ends = pc.binary_join_element_wise(lines.filter(pa.array(~broken)), line_feed, nothing)
    flagged[~broken] |= flags_of(ends) & MOJIBAKE != 0
    here = np.flatnonzero(flagged)
    if not len(here):
        return texts, np.zeros(len(texts), np.bool_)
    rows = np.searchsorted(column.bounds, bounds[here], "right") - 1
    spans = Spans(rows, bounds[here], bounds[here + 1] - broken[here], np.zeros(len(here), np.int8))
    launcher().leave("ftfy", len(np.unique(rows)))
    new = repair_lines(values_of(some, spans), np.ones(len(here), np.bool_))
    return put_rows(texts, chosen, replace(some, spans, new), certain=False)


def compose(texts: pa.LargeStringArray, chosen: np.ndarray) -> tuple[pa.LargeStringArray, np.ndarray]:
    """Bring the chosen rows into normalisation form C."""
    some = texts if chosen.all() else texts.filter(pa.array(chosen))  # for the host only
    launcher().leave("normal forms", len(some))
    return put_rows(texts, chosen, normal_form(some, "NFC"), certain=False)


def _kernel(which: Rewrite) -> Change:
    return lambda texts, chosen: rewrite_where(which, texts, chosen)


ALWAYS = 1 << 10
"""Set for every row: the flag of cleaners whose kernels look for themselves."""

_CONTROLS = (CONTROL, _kernel(Rewrite.CONTROLS))
STEPS: dict[str, tuple[tuple[int, Change], ...]] = {
    "mojibake": ((MOJIBAKE, repair),),
    "controls": (_CONTROLS,),
    "unicode": (_CONTROLS, (UNNORMAL, compose)),
    "newlines": ((BREAK, _kernel(Rewrite.NEWLINES)),),
    "html": ((MARKUP, _kernel(Rewrite.HTML)),),
    "markdown": ((MARKDOWN, _kernel(Rewrite.MARKDOWN)),),
    "quotes": ((QUOTE, _kernel(Rewrite.QUOTES)),),
    "licence_header": ((ALWAYS, _kernel(Rewrite.LICENCE_HEADER)),),
    "signature": ((ALWAYS, _kernel(Rewrite.SIGNATURE)),),
    "boilerplate": ((ALWAYS, _kernel(Rewrite.BOILERPLATE)),),
    "c4_lines": ((ALWAYS, _kernel(Rewrite.C4_LINES)),),
    "whitespace": ((SPACE, _kernel(Rewrite.WHITESPACE)),),
}
"""For each cleaner its steps: the flags of the rows that one may change, and how it changes them."""


@compiled
def suspect_rows(
    first: int,
    last: int,
    buffer: np.ndarray,
    bounds: np.ndarray,
    table: np.ndarray,
    follow: np.ndarray,
    flags: np.ndarray,
) -> None:
    """Flag every row."""
    for row in range(first, last):
        flags[row] = suspects(buffer, bounds[row], bounds[row + 1], table, follow)
