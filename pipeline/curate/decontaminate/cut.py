"""Evaluation texts cut out of rows: the words that were found go, every other byte stays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.config import Decontaminate
from pipeline.curate.decontaminate.index import NgramIndex
from pipeline.curate.decontaminate.matches import find_in, ledger_lines, matches_of
from pipeline.curate.messages import contents_of, one_array, rows_of, with_contents
from pipeline.engines import Engine
from pipeline.engines.columns import from_arrow
from pipeline.engines.spans import Spans
from pipeline.engines.word_ngrams import FoundNgrams
from pipeline.schema import LEDGER

__all__ = ["Cut", "cut_rows", "spans_of"]

_ROUNDS = 8
"""How often words are cut out of a row before it is given up."""


@dataclass(frozen=True, kw_only=True)
class Cut:
    """Rows without the words of evaluation sets.

    Attributes:
        table: `schema.ROWS`.
        rows: which of the rows that came in they are: int64 [table], ascending.
        lines: `schema.LEDGER`: of each row that was cut and stays, what was found in it, and as `value` the share of
            its bytes that is left.
        ledger: tables of `schema.LEDGER`: the rows of which too little is left, or that did not come to rest.
    """

    table: pa.Table
    rows: NDArray[np.int64]
    lines: pa.Table
    ledger: list[pa.Table]


def cut_rows(
    table: pa.Table,
    rule: Decontaminate,
    index: NgramIndex,
    engine: Engine,
    settled: Callable[[pa.Table], tuple[pa.Table, NDArray[np.int64], list[pa.Table]]],
    filled: Callable[[pa.ListArray], NDArray[np.bool_]],
) -> Cut:
    """Cut what is found out of rows, until nothing is found in them.

    What is left of a row may be cleaned or redacted otherwise than before, and words that came together may be found
    again; so a row that was cut goes through both once more.

    Args:
        table: `schema.ROWS`, clean and redacted.
        rule: of the recipe.
        index: of the evaluation sets.
        engine: that computes.
        settled: cleans and redacts rows; returns them, which they are, and the ledger's tables of the others.
        filled: says which rows still say something.
    """
    whole = _bytes(one_array(table["messages"]))
    done, places = [table.slice(0, 0)], [np.zeros(0, np.int64)]
    lines, ledger = [LEDGER.empty_table()], []
    here = np.arange(len(table))
    for turn in range(_ROUNDS + 1):
        messages = one_array(table["messages"])
        found, of = find_in(messages, index, engine)
        matches = matches_of(of, index.grams[found.slots], index, rule.share)
        hit = np.zeros(len(table), np.bool_)
        hit[matches.rows] = True
        done.append(table.filter(pa.array(~hit)))
        places.append(here[~hit])
        if not hit.any():
            break
        if turn == _ROUNDS:
            ledger.append(ledger_lines(matches, table, index, rule.share, "restless"))
            break
        drawn = ledger_lines(matches, table, index, rule.share, "cut")
        chosen = FoundNgrams(*(column[matches.counted] for column in found))
        contents = contents_of(messages)
        contents = engine.replace(contents, *_nothing_at(spans_of(contents, chosen, rule.margin, engine)))
        table = table.set_column(3, table.schema.field("messages"), with_contents(messages, contents))
        left = _bytes(one_array(table["messages"])) / np.maximum(whole[here], 1)
        enough = (left >= rule.keep) & filled(one_array(table["messages"]))
        drawn = _with(drawn, "value", pa.array(left[matches.rows]))
        drawn = _with(drawn, "threshold", pa.repeat(pa.scalar(rule.keep, pa.float64()), len(drawn)))
        ledger.append(drawn.filter(pa.array(~enough[matches.rows])))
        lines.append(drawn)
        stays = hit & enough
        table, kept, others = settled(table.filter(pa.array(stays)).combine_chunks())
        here = here[stays][kept]
        ledger += others
    at = np.concatenate(places)
    order = np.argsort(at)
    table = pa.concat_tables(done).take(pa.array(order)).combine_chunks()
    said = pa.concat_tables(lines)
    stayed = pc.is_in(said["id"], value_set=table["id"].combine_chunks())
    return Cut(table=table, rows=at[order], lines=said.filter(stayed), ledger=ledger)


def spans_of(contents: pa.LargeStringArray, found: FoundNgrams, margin: int, engine: Engine) -> Spans:
    """Where the words of n-grams stand, each place once.

    Args:
        contents: n texts.
        found: n-grams in them.
        margin: words more on either side.
        engine: that finds words.

    Returns:
        Spans from the first byte of a word to the last of another, in order; none touches another.
    """
    texts, _, words, lengths = found
    hit, at = np.unique(texts, return_inverse=True)
    part = contents.take(pa.array(hit))
    places = engine.place_words(part)
    low, high = places.bounds[at], places.bounds[at + 1]
    first = np.maximum(low + words - margin, low)
    last = np.minimum(low + words + lengths + margin, high)
    order = np.lexsort((last, first))
    first, last, at = first[order], last[order], at[order]
    # Words of all texts are numbered on, so n-grams of two texts cannot overlap.
    reach = np.maximum.accumulate(last) if len(last) else last
    fresh = np.ones(len(first), np.bool_)
    fresh[1:] = first[1:] > reach[:-1]
    fresh[1:] |= at[1:] != at[:-1]
    begins = np.flatnonzero(fresh)
    ends = reach[np.append(begins[1:] - 1, len(first) - 1)] if len(first) else reach
    rows = at[begins]
    # `take` put the texts elsewhere.
    moved = from_arrow(contents).bounds[hit] - from_arrow(part).bounds[:-1]
    return Spans(
        rows=hit[rows],
        starts=places.starts[first[begins]] + moved[rows],
        ends=places.ends[ends - 1] + moved[rows],
        entities=np.zeros(len(rows), np.int8),
    )


def _nothing_at(spans: Spans) -> tuple[Spans, pa.LargeStringArray]:
    return spans, pa.repeat(pa.scalar("", pa.large_string()), len(spans.rows))


def _bytes(messages: pa.ListArray) -> NDArray[np.int64]:
    """Bytes of the contents of every row: int64 [rows]."""
    sizes = pc.binary_length(contents_of(messages)).to_numpy(zero_copy_only=False)
    return np.bincount(rows_of(messages), weights=sizes, minlength=len(messages)).astype(np.int64)


def _with(lines: pa.Table, name: str, column: pa.Array) -> pa.Table:
    return lines.set_column(lines.schema.get_field_index(name), lines.schema.field(name), column)
