"""Which rows share enough n-grams with which texts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.curate.decontaminate.index import HALVES, NgramIndex
from pipeline.curate.messages import contents_of, rows_of
from pipeline.engines import Engine
from pipeline.engines.stand_ins import without_values
from pipeline.engines.word_ngrams import FoundNgrams
from pipeline.schema import LEDGER

__all__ = ["Matches", "find_in", "held_texts", "ledger_lines", "matches_of"]


@dataclass(frozen=True, kw_only=True)
class Matches:
    """Rows that share enough with a text; of each row and half the text that it shares most of.

    Attributes:
        rows: int64 [m], ascending.
        texts: int64 [m], of the index.
        halves: int8 [m].
        shares: float64 [m], of the text's different n-grams.
        counted: bool [n-grams that were found], which are of a text that a row shares enough of.
    """

    rows: NDArray[np.int64]
    texts: NDArray[np.int64]
    halves: NDArray[np.int8]
    shares: NDArray[np.float64]
    counted: NDArray[np.bool_]


def find_in(messages: pa.ListArray, index: NgramIndex, engine: Engine) -> tuple[FoundNgrams, NDArray[np.int64]]:
    """Find the index's n-grams in the contents of rows; none reaches from one message into the next.

    Of stand-ins only the entity counts, as in the index: the first address of an evaluation text may be a row's second.

    Returns:
        What was found in which message, and the row of each: int64.
    """
    found = engine.find_ngrams(without_values(contents_of(messages)), index.table)
    return found, rows_of(messages)[found.texts]


def matches_of(
    rows: NDArray[np.int64],
    grams: NDArray[np.int64],
    index: NgramIndex,
    share: float,
    among: NDArray[np.bool_] | None = None,
) -> Matches:
    """Decide which rows share enough.

    Args:
        rows: int64 [n], where n-grams were found; a pair may come more than once.
        grams: int64 [n], of the index.
        index: whose n-grams they are.
        share: of a text's n-grams; 0 for any.
        among: bool [texts], which of the index's count; all by default.
    """
    count = max(1, len(index.bounds) - 1)
    pairs, at = np.unique(rows * count + grams, return_inverse=True)
    row, text, shares, pair, of = _shares(pairs // count, pairs % count, index)
    enough = shares >= share if among is None else (shares >= share) & among[text]
    counted = np.zeros(len(pairs), np.bool_)
    counted[pair[enough[of]]] = True
    row, text, shares = row[enough], text[enough], shares[enough]
    half = index.texts.halves[text]
    order = np.lexsort((text, -shares, half, row))
    row, text, shares, half = row[order], text[order], shares[order], half[order]
    best = np.ones(len(row), np.bool_)
    best[1:] = (row[1:] != row[:-1]) | (half[1:] != half[:-1])
    return Matches(rows=row[best], texts=text[best], halves=half[best], shares=shares[best], counted=counted[at])


def held_texts(
    rows: NDArray[np.int64], grams: NDArray[np.int64], index: NgramIndex, share: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Every text that a row shares enough of: rows, texts and shares; what the arguments are, `matches_of` says.

    No pair of row and n-gram may come more than once.
    """
    row, text, shares, _, _ = _shares(rows, grams, index)
    enough = shares >= share
    return row[enough], text[enough], shares[enough]


def _shares(
    row: NDArray[np.int64], gram: NDArray[np.int64], index: NgramIndex
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Rows and texts that have something in common, and which share of the text.

    Returns:
        Rows, texts, shares; and the pair of row and n-gram, and the row and text, of each n-gram in each text.
    """
    owners = np.diff(index.bounds)[gram]
    pair = np.repeat(np.arange(len(row)), owners)
    place = np.arange(len(pair)) - np.repeat(np.cumsum(owners) - owners, owners)
    text = index.owners[index.bounds[gram][pair] + place]
    texts = max(1, len(index.sizes))
    shared, of, held = np.unique(row[pair] * texts + text, return_inverse=True, return_counts=True)
    return shared // texts, shared % texts, held / np.maximum(index.sizes[shared % texts], 1), pair, of


def ledger_lines(matches: Matches, table: pa.Table, index: NgramIndex, share: float, rules: str) -> pa.Table:
    """One line of `schema.LEDGER` for each row and half; the evidence is the id of the row whose text it is.

    Args:
        matches: of the rows of
        table: with `id` and `source`.
        index: of the texts.
        share: that was asked for.
        rules: what the rules' names begin with; the half follows.
    """
    rows = pa.array(matches.rows)
    names = pa.array([f"{rules}_{half}" for half in HALVES])
    return pa.table(
        {
            "id": table["id"].take(rows),
            "source": table["source"].take(rows),
            "stage": pa.repeat("decontaminate", len(rows)),
            "rule": names.take(pa.array(matches.halves)),
            "value": pa.array(matches.shares, pa.float64()),
            "threshold": pa.repeat(pa.scalar(share, pa.float64()), len(rows)),
            "evidence": index.texts.ids.take(pa.array(index.texts.rows[matches.texts])),
        },
        schema=LEDGER,
    )
