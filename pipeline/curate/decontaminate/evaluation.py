"""The evaluation sets that a recipe names: read, checked, and put into an index."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.config import Recipe, Source
from pipeline.curate.decontaminate.index import HALVES, NgramIndex, Texts, build_index, halves_of, ngrams_of
from pipeline.curate.messages import contents_of, one_array, rows_of
from pipeline.curate.rowwise import settle
from pipeline.engines import Engine
from pipeline.errors import InputError
from pipeline.ingest import Survey, read_blocks, survey

__all__ = ["check_evaluation", "evaluation_index", "survey_evaluation"]

_SHOWN = 5
"""Malformed rows that a message names."""


def survey_evaluation(recipe: Recipe) -> list[Survey]:
    """Look at every evaluation set: where it is, and its content's fingerprint.

    Raises:
        InputError: there is no such file, or nothing in it.
    """
    surveys = [survey(file, part_bytes=recipe.ingest.part_bytes) for file in recipe.curate.decontaminate.files]
    for file, seen in zip(recipe.curate.decontaminate.files, surveys, strict=True):
        if not seen.blocks:
            raise _empty(file)
    return surveys


def check_evaluation(recipe: Recipe, surveys: Sequence[Survey]) -> list[pa.Table]:
    """Read every evaluation set: a table of `schema.ROWS` each.

    Raises:
        InputError: a row is malformed, so that it would not be looked for; or there are none.
    """
    tables = []
    for file, seen in zip(recipe.curate.decontaminate.files, surveys, strict=True):
        ingested = read_blocks(seen.blocks, max_row_bytes=recipe.ingest.max_row_bytes)
        if len(ingested.rejected):
            lines = ingested.rejected.slice(0, _SHOWN)
            shown = map(": ".join, zip(lines["rule"].to_pylist(), lines["evidence"].to_pylist(), strict=True))
            raise InputError(
                f"{len(ingested.rejected)} of {ingested.rows_in} rows of the evaluation set {file.name} are malformed, "
                "so nobody could look for them:\n" + "\n".join(f"  - {line}" for line in shown),
                where=f"curate.decontaminate.files, {file.name}: {file.path or file.target}",
                mend="mend those rows, or correct the set's `format` and `columns`",
            )
        if not len(ingested.rows):
            raise _empty(file)
        tables.append(ingested.rows)
    return tables


def evaluation_index(recipe: Recipe, surveys: Sequence[Survey], engine: Engine) -> tuple[NgramIndex, dict[str, Any]]:
    """Make the index that every row is held against.

    A text is in it as it came, and, where that changes it, as cleaning and redaction would leave it: so it is found in
    rows that went through both.

    Returns:
        The index; and of each evaluation set how many `rows` and `texts` it has, how many texts are `too_short` to be
        looked for, and how many n-grams are too `common`.

    Raises:
        InputError: as of `check_evaluation`.
    """
    rule = recipe.curate.decontaminate
    ids: list[pa.StringArray] = []
    texts, rows, halves, sets = [], [], [], []
    for number, table in enumerate(check_evaluation(recipe, surveys)):
        base = sum(len(one) for one in ids)
        messages = one_array(table["messages"])
        for contents, flat in _forms(table, messages, recipe, engine):
            texts.append(contents)
            rows.append(base + rows_of(messages)[flat])
            halves.append(halves_of(messages.flatten().field("role"))[flat])
            sets.append(np.full(len(flat), number))
        ids.append(one_array(table["id"]))
    order = np.argsort(np.concatenate(rows), kind="stable")  # the index wants texts in the order of their rows
    together = pa.concat_arrays(texts).take(pa.array(order))
    found = ngrams_of(together, rule.ngram, rule.shortest, engine)
    of = Texts(ids=pa.concat_arrays(ids), rows=np.concatenate(rows)[order], halves=np.concatenate(halves)[order])
    index = build_index(found, of, rule.common, engine)
    return index, _counts(recipe, index, found.texts, found.words, np.concatenate(sets)[order])


def _forms(
    table: pa.Table, messages: pa.ListArray, recipe: Recipe, engine: Engine
) -> Iterator[tuple[pa.LargeStringArray, np.ndarray]]:
    """The contents as they came; and those that cleaning and redaction change, and which messages those are."""
    came = contents_of(messages)
    yield came, np.arange(len(came))
    settled = settle(table, table["kind"][0].as_py(), recipe, engine)
    flat = np.flatnonzero(np.isin(rows_of(messages), settled.rows))
    left = contents_of(one_array(settled.table["messages"]))
    changed = pc.not_equal(came.take(pa.array(flat)), left).to_numpy(zero_copy_only=False)
    yield left.filter(pa.array(changed)), flat[changed]


def _counts(
    recipe: Recipe, index: NgramIndex, texts: np.ndarray, words: np.ndarray, sets: np.ndarray
) -> dict[str, Any]:
    rule = recipe.curate.decontaminate
    before = np.bincount(texts, minlength=len(sets))
    counts = {}
    for number, file in enumerate(rule.files):
        here = sets == number
        rows = index.texts.rows[here]
        looked_for = np.unique(rows[index.sizes[here] > 0])
        counts[file.name] = {
            "rows": len(np.unique(rows)),
            "looked_for": len(looked_for),
            "too_short": {
                half: int((here & (words < rule.shortest) & (index.texts.halves == place)).sum())
                for place, half in enumerate(HALVES)
            },
            "common_ngrams": int(before[here].sum() - index.sizes[here].sum()),
        }
    return counts


def _empty(file: Source) -> InputError:
    return InputError(
        f"the evaluation set {file.name} has no rows",
        where=f"curate.decontaminate.files, {file.name}: {file.path or file.target}",
        mend="point it at the file that holds them, or take it out of the recipe",
    )
