"""A few redacted lines of dropped rows, so that a reader of the report can judge the rules.

The text of a dropped row is kept nowhere else. Excerpts are redacted for every entity, whatever the recipe says, and
before they are cut, so that half an address is not left standing. A text that cannot be redacted has no excerpt.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.engines import ENTITIES, Engine

__all__ = ["CHARACTERS", "PER_RULE", "Excerpts", "excerpts_of", "merge_excerpts", "redacted"]

PER_RULE = 5
"""Rows of each rule."""

CHARACTERS = 300
"""Of each row."""


class Excerpts:
    """The excerpts of a part, gathered slice by slice.

    Attributes:
        chosen: rule → id → excerpt.
        left: rule → how many more rows are wanted of it; `PER_RULE` of a rule that is not there.
    """

    def __init__(self) -> None:
        self.chosen: dict[str, dict[str, str]] = {}
        self.left: dict[str, int] = {}

    def add(self, failed: pa.Table, excerpts: Mapping[str, str]) -> None:
        """Choose among the next rows.

        Args:
            failed: ledger lines (`schema.LEDGER`), in the order of rows.
            excerpts: id → excerpt, of the rows among them that have one.
        """
        for rule, rows in _first(failed, self.left).items():
            self.left[rule] = self.left.get(rule, PER_RULE) - len(rows)
            if found := {row: excerpts[row] for row in rows if row in excerpts}:
                self.chosen.setdefault(rule, {}).update(found)


def excerpts_of(
    failed: pa.Table, ids: pa.Array, texts: pa.LargeStringArray, engine: Engine, left: Mapping[str, int]
) -> dict[str, str]:
    """Id → redacted beginning of the text, for the first rows of each rule.

    Args:
        failed: ledger lines (`schema.LEDGER`).
        ids: string [rows].
        texts: [rows].
        engine: that redacts.
        left: rule → how many rows are wanted, `PER_RULE` of one that is not there.
    """
    names = [row for rows in _first(failed, left).values() for row in rows]
    if not names:
        return {}
    wanted = pc.is_in(ids, pa.array(names, pa.string()))
    cut = pc.utf8_slice_codeunits(redacted(texts.filter(wanted), engine), 0, CHARACTERS)
    excerpts = zip(ids.filter(wanted).to_pylist(), cut.to_pylist(), strict=True)
    return {row: excerpt for row, excerpt in excerpts if excerpt}


def merge_excerpts(parts: Iterable[Mapping[str, Mapping[str, str]]]) -> dict[str, dict[str, str]]:
    """Rule → id → excerpt, of the first rows over all parts, which come in their order."""
    merged: dict[str, dict[str, str]] = {}
    for part in parts:
        for rule, rows in part.items():
            there = merged.setdefault(rule, {})
            # Sorted as in a record that is read again: an interruption must not change which ones they are.
            there.update(sorted(rows.items())[: PER_RULE - len(there)])
    return dict(sorted(merged.items()))


def redacted(texts: pa.LargeStringArray, engine: Engine) -> pa.LargeStringArray:
    """The texts with tags; one that fails is `""`."""
    try:
        return engine.redact(texts, ENTITIES).texts
    except Exception:
        if len(texts) == 1:
            return pa.array([""], pa.large_string())
    return pa.concat_arrays([redacted(texts.slice(row, 1), engine) for row in range(len(texts))])


def _first(failed: pa.Table, left: Mapping[str, int]) -> dict[str, list[str]]:
    """The ids of the first rows of each rule, as many as are left."""
    found: dict[str, list[str]] = {}
    for rule in pc.unique(failed["rule"]).to_pylist():
        if wanted := left.get(rule, PER_RULE):
            found[rule] = failed["id"].filter(pc.equal(failed["rule"], rule)).slice(0, wanted).to_pylist()
    return found
