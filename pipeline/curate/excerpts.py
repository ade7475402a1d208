"""A few redacted lines of dropped rows, so that a reader of the report can judge the rules.

The text of a dropped row is kept nowhere else. Excerpts are redacted for every entity, whatever the recipe says, and
before they are cut, so that half an address is not left standing. A text that cannot be redacted has no excerpt.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.engines import ENTITIES, Engine

__all__ = ["CHARACTERS", "PER_RULE", "excerpts_of", "first_of_each_rule", "merge_excerpts"]

PER_RULE = 5
"""Rows of each rule."""

CHARACTERS = 300
"""Of each row."""


def excerpts_of(failed: pa.Table, ids: pa.Array, texts: pa.LargeStringArray, engine: Engine) -> dict[str, str]:
    """Id → redacted beginning of the text, for the first rows of each rule.

    Args:
        failed: ledger lines (`schema.LEDGER`).
        ids: string [rows].
        texts: [rows].
        engine: that redacts.
    """
    wanted = pa.array([row for rows in _first(failed).values() for row in rows], pa.string())
    some = texts.filter(pc.is_in(ids, wanted))
    cut = pc.utf8_slice_codeunits(_redacted(some, engine), 0, CHARACTERS)
    excerpts = zip(ids.filter(pc.is_in(ids, wanted)).to_pylist(), cut.to_pylist(), strict=True)
    return {row: excerpt for row, excerpt in excerpts if excerpt}


def first_of_each_rule(failed: pa.Table, excerpts: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Rule → id → excerpt, of one part."""
    chosen = {rule: {row: excerpts[row] for row in rows if row in excerpts} for rule, rows in _first(failed).items()}
    return {rule: rows for rule, rows in chosen.items() if rows}


def merge_excerpts(parts: Iterable[Mapping[str, Mapping[str, str]]]) -> dict[str, dict[str, str]]:
    """Rule → id → excerpt, of the first rows over all parts, which come in their order."""
    merged: dict[str, dict[str, str]] = {}
    for part in parts:
        for rule, rows in part.items():
            there = merged.setdefault(rule, {})
            there.update(list(rows.items())[: PER_RULE - len(there)])
    return dict(sorted(merged.items()))


def _redacted(texts: pa.LargeStringArray, engine: Engine) -> pa.LargeStringArray:
    """The texts with tags; one that fails is `""`."""
    try:
        return engine.redact(texts, ENTITIES).texts
    except Exception:
        if len(texts) == 1:
            return pa.array([""], pa.large_string())
    return pa.concat_arrays([_redacted(texts.slice(row, 1), engine) for row in range(len(texts))])


def _first(failed: pa.Table) -> dict[str, list[str]]:
    """The ids of the first `PER_RULE` rows of each rule."""
    found: dict[str, list[str]] = {}
    for rule in pc.unique(failed["rule"]).to_pylist():
        found[rule] = failed["id"].filter(pc.equal(failed["rule"], rule)).slice(0, PER_RULE).to_pylist()
    return found
