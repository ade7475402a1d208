"""What pass one does to rows of one kind: clean, redact, measure, judge.

Signals are of the text that is kept, cleaned and redacted, so curating what was curated changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.config import Recipe
from pipeline.curate.excerpts import excerpts_of
from pipeline.curate.messages import contents_of, rows_of, with_contents
from pipeline.curate.redact import redact
from pipeline.curate.rules import judge, rules_for
from pipeline.engines import Engine
from pipeline.schema import DOCUMENTS, LEDGER, SIGNALS, VERDICTS

__all__ = ["Processed", "process", "settle"]

_SENDER_KINDS = ("text", "code", "pair")
"""Kinds in which no message may be blank; of a chat some message must be left."""

_ROUNDS = 4
"""How often a row is cleaned and redacted before it is given up; the second round confirms nearly every row."""


@dataclass(frozen=True, kw_only=True)
class Processed:
    """Rows of one kind after pass one.

    Attributes:
        kept: `schema.DOCUMENTS`, the rows that passed every rule.
        measured: `schema.VERDICTS`, the rows that reached the rules.
        reached: which of the rows that came in those are: int64 [measured].
        passed: which of the measured rows were kept: int64 [kept].
        ledger: tables of `schema.LEDGER`.
        rules: rule → `failed` and `alone`, rows.
        redacted: entity → replacements, in all rows that came in.
        excerpts: id → redacted beginning, of some rows that failed a rule.
    """

    kept: pa.Table
    measured: pa.Table
    reached: NDArray[np.int64]
    passed: NDArray[np.int64]
    ledger: list[pa.Table]
    rules: dict[str, dict[str, int]]
    redacted: dict[str, int]
    excerpts: dict[str, str]


def process(table: pa.Table, kind: str, recipe: Recipe, engine: Engine) -> Processed:
    """Clean, redact, measure and judge rows of one kind.

    Args:
        table: `schema.ROWS`.
        kind: of all of them.
        recipe: of the run.
        engine: that computes.
    """
    table, redacted, restless = settle(table, kind, recipe, engine)
    filled = _filled(table["messages"].combine_chunks(), kind)
    ledger = [
        _lines(table, ~filled, stage="clean", rule="empty", value=0.0, threshold=1.0),
        _lines(table, filled & restless, stage="redact", rule="restless", value=_ROUNDS, threshold=_ROUNDS),
    ]
    reached = np.flatnonzero(filled & ~restless)
    table = table.take(pa.array(reached)).combine_chunks()

    texts = engine.join(table["messages"].combine_chunks())
    signals = engine.signals(texts)
    ids, sources = table["id"].combine_chunks(), table["source"].combine_chunks()
    verdicts = judge(rules_for(recipe.curate.rules, kind), signals, ids, sources)
    for name, dtype in SIGNALS.items():
        # What this recipe does not measure is null, or NaN; no rule bounds it (`judge`).
        values = signals[name] if name in signals else _nothing(len(table), dtype)
        table = table.append_column(VERDICTS.field(name), pa.array(values, dtype))
    measured = table.append_column(VERDICTS.field("failed"), verdicts.names()).select(VERDICTS.names)
    passed = np.flatnonzero(verdicts.passed)
    return Processed(
        kept=table.take(pa.array(passed)).combine_chunks().cast(DOCUMENTS),
        measured=measured,
        reached=reached,
        passed=passed,
        ledger=[*ledger, verdicts.lines],
        rules=verdicts.counts(),
        redacted=redacted,
        excerpts=excerpts_of(verdicts.lines, ids, texts, engine),
    )


def settle(
    table: pa.Table, kind: str, recipe: Recipe, engine: Engine
) -> tuple[pa.Table, dict[str, int], NDArray[np.bool_]]:
    """Clean and redact rows until neither changes them.

    A tag may complete what a cleaner looks for, and what a cleaner joins may be an address; rows that redaction
    changed are therefore cleaned and redacted once more.

    Args:
        table: `schema.ROWS`, of one kind.
        kind: of all of them.
        recipe: of the run.
        engine: that computes.

    Returns:
        The rows; entity → replacements; and bool [rows], true where `_ROUNDS` were not enough.
    """
    curate = recipe.curate
    cleaners = getattr(curate.clean, kind) if curate.clean else []
    counts: dict[str, int] = {}
    rounds: list[pa.Table] = []
    here = np.arange(len(table))
    order = here.copy()
    for _ in range(_ROUNDS):
        before = table["messages"].combine_chunks()
        messages = with_contents(before, engine.clean(contents_of(before), cleaners))
        table = _with_messages(table, messages)
        changed = np.zeros(len(table), np.bool_)
        if curate.pii is not None:
            table, found = redact(table, curate.pii, engine)
            counts = {entity: counts.get(entity, 0) + count for entity, count in found.items()}
            # Cleaning twice is cleaning once, so only what redaction changed can change again.
            changed = _changed(messages, table["messages"].combine_chunks())
        order[here] = np.arange(len(table)) + sum(map(len, rounds))
        rounds.append(table)
        here = here[changed]
        if not len(here):
            break
        table = table.filter(pa.array(changed)).combine_chunks()
    restless = np.zeros(len(order), np.bool_)
    restless[here] = True
    if len(rounds) > 1:
        table = pa.concat_tables(rounds).take(pa.array(order)).combine_chunks()
    return table, counts, restless


def _with_messages(table: pa.Table, messages: pa.ListArray) -> pa.Table:
    place = table.schema.get_field_index("messages")
    return table.set_column(place, table.schema.field("messages"), messages)


def _changed(before: pa.ListArray, after: pa.ListArray) -> NDArray[np.bool_]:
    """Rows in which some content differs: bool [rows]."""
    differs = pc.not_equal(contents_of(before), contents_of(after)).to_numpy(zero_copy_only=False)
    found = np.zeros(len(before), np.bool_)
    found[rows_of(before)[differs]] = True
    return found


def _filled(messages: pa.ListArray, kind: str) -> NDArray[np.bool_]:
    """Whether a row still says something: bool [rows]."""
    contents = contents_of(messages)
    blank = pc.equal(pc.utf8_length(pc.utf8_trim_whitespace(contents)), 0).to_numpy(zero_copy_only=False)
    blanks = np.bincount(rows_of(messages), weights=blank, minlength=len(messages))
    if kind in _SENDER_KINDS:
        return np.asarray(blanks == 0)
    return np.asarray(blanks < messages.value_lengths().to_numpy(zero_copy_only=False))


def _lines(
    table: pa.Table, which: NDArray[np.bool_], *, stage: str, rule: str, value: float, threshold: float
) -> pa.Table:
    """One ledger line for each of the rows."""
    rows = table.select(["id", "source"]).filter(pa.array(which))
    count = len(rows)
    same = [pa.repeat(stage, count), pa.repeat(rule, count), pa.array([value] * count, pa.float64())]
    bound = [pa.array([threshold] * count, pa.float64()), pa.nulls(count, pa.string())]
    return pa.table([rows["id"], rows["source"], *same, *bound], schema=LEDGER)


def _nothing(rows: int, dtype: pa.DataType) -> pa.Array:
    return pa.array(np.full(rows, np.nan)) if pa.types.is_floating(dtype) else pa.nulls(rows, dtype)
