"""What pass one does to rows of one kind: clean, redact, measure, judge, hold against evaluation sets.

Signals are of the text that is kept, cleaned and redacted, so curating what was curated changes nothing.
"""

from __future__ import annotations

import json
from codecs import getincrementaldecoder
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.config import Recipe
from pipeline.curate.decontaminate.cut import Cut, cut_rows
from pipeline.curate.decontaminate.index import NgramIndex
from pipeline.curate.decontaminate.matches import find_in, ledger_lines, matches_of
from pipeline.curate.excerpts import excerpts_of
from pipeline.curate.families import families_of
from pipeline.curate.language import identify, unknown
from pipeline.curate.messages import contents_of, extras_of, one_array, rows_of, with_contents
from pipeline.curate.pii.redact import ledger_of, redact
from pipeline.curate.rules import judge, rules_for
from pipeline.engines import CLEANING_ROUNDS, Engine
from pipeline.engines.columns import from_arrow
from pipeline.engines.conversations import only, taken
from pipeline.ingest.formats.chat import must_speak
from pipeline.schema import DOCUMENTS, LEDGER, SIGNALS, VERDICTS

__all__ = ["Processed", "Settled", "process", "settle"]

_SENDER_KINDS = ("text", "code", "pair", "retrieval")
"""Kinds in which no message may be blank; of a chat some message must be left, and none blank that must speak."""

_LONG = 16 << 20
"""Bytes of rows from which on freed memory is given back at once; of fewer, the pool keeps it for the next slice."""

_PIECE = 1 << 10
"""Bytes of a text that are looked at together for something else than white space."""

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
        cut: `schema.LEDGER`, what was cut out of rows that reached the rules.
    """

    kept: pa.Table
    measured: pa.Table
    reached: NDArray[np.int64]
    passed: NDArray[np.int64]
    ledger: list[pa.Table]
    rules: dict[str, dict[str, int]]
    redacted: dict[str, int]
    excerpts: dict[str, str]
    cut: pa.Table


@dataclass(frozen=True, kw_only=True)
class Settled:
    """Rows that cleaning and redaction change no more.

    Attributes:
        table: `schema.ROWS`.
        rows: which of the rows that came in they are: int64 [table], ascending.
        counts: entity → replacements.
        ledger: tables of `schema.LEDGER`: the rows that did not settle, or could not be redacted.
    """

    table: pa.Table
    rows: NDArray[np.int64]
    counts: dict[str, int]
    ledger: list[pa.Table]


def process(
    table: pa.Table,
    kind: str,
    recipe: Recipe,
    engine: Engine,
    left: Mapping[str, int],
    evaluation: NgramIndex | None = None,
) -> Processed:
    """Clean, redact, measure and judge rows of one kind, and hold them against the evaluation sets.

    Args:
        table: `schema.ROWS`.
        kind: of all of them.
        recipe: of the run.
        engine: that computes.
        left: rule → of how many more rows excerpts are wanted (`Excerpts.left`).
        evaluation: the recipe's evaluation sets.
    """
    settled = settle(table, kind, recipe, engine)
    table, reached, redacted = settled.table, settled.rows, Counter(settled.counts)
    _give_back(table)
    ledger = settled.ledger
    cut = LEDGER.empty_table()
    if evaluation is not None and recipe.curate.decontaminate.action == "cut":
        left_over = _cut(table, kind, recipe, engine, evaluation, redacted)
        table, reached, cut = left_over.table, reached[left_over.rows], left_over.lines
        ledger = [*ledger, *left_over.ledger]
    filled = _filled(one_array(table["messages"]), kind)
    ledger = [*ledger, _lines(table, ~filled, stage="clean", rule="empty", value=0.0, threshold=1.0)]
    table = only(table, filled, engine)

    texts = engine.join(one_array(table["messages"]))
    signals = engine.signals(texts, families_of(table, recipe.sources))
    languages = identify(texts) if recipe.curate.language else unknown(len(texts))
    signals |= {"language": languages.codes, "language_score": languages.scores}
    ids, sources = one_array(table["id"]), one_array(table["source"])
    verdicts = judge(rules_for(recipe.curate.rules, kind), signals, ids, sources)
    columns = [pa.array(signals[name], dtype) for name, dtype in SIGNALS.items()]
    measured = pa.Table.from_arrays(
        [table["id"], table["source"], table["kind"], *columns, verdicts.names()], schema=VERDICTS
    )
    table = pa.Table.from_arrays([*table.columns, *columns], schema=DOCUMENTS)
    failed, passed = verdicts.lines, np.flatnonzero(verdicts.passed)
    if evaluation is not None and recipe.curate.decontaminate.action == "drop":
        lines, clean = _contaminated(only(table, verdicts.passed, engine), recipe, engine, evaluation)
        failed, passed = pa.concat_tables([failed, lines]), passed[clean]
    return Processed(
        kept=table if len(passed) == len(table) else taken([table], passed, engine),
        measured=measured,
        reached=reached[filled],
        passed=passed,
        ledger=[*ledger, failed],
        rules=verdicts.counts(),
        redacted=dict(redacted),
        excerpts=excerpts_of(failed, ids, texts, engine, left),
        cut=cut,
    )


def _contaminated(
    table: pa.Table, recipe: Recipe, engine: Engine, evaluation: NgramIndex
) -> tuple[pa.Table, NDArray[np.bool_]]:
    """The ledger's lines of rows that hold evaluation texts, and which rows hold none: bool [rows]."""
    share = recipe.curate.decontaminate.share
    found, rows = find_in(one_array(table["messages"]), evaluation, engine)
    matches = matches_of(rows, evaluation.grams[found.slots], evaluation, share)
    clean = np.ones(len(table), np.bool_)
    clean[matches.rows] = False
    return ledger_lines(matches, table, evaluation, share, "evaluation"), clean


def _cut(
    table: pa.Table, kind: str, recipe: Recipe, engine: Engine, evaluation: NgramIndex, redacted: Counter[str]
) -> Cut:
    """Cut evaluation texts out of settled rows, which are settled again; what that redacts is counted too."""

    def again(rows: pa.Table) -> tuple[pa.Table, NDArray[np.int64], list[pa.Table]]:
        settled = settle(rows, kind, recipe, engine)
        redacted.update(settled.counts)
        return settled.table, settled.rows, settled.ledger

    return cut_rows(
        table, recipe.curate.decontaminate, evaluation, engine, again, lambda messages: _filled(messages, kind)
    )


def settle(table: pa.Table, kind: str, recipe: Recipe, engine: Engine) -> Settled:
    """Clean and redact rows until neither changes them.

    A tag may complete what a cleaner looks for, and what a cleaner joins may be an address. Cleaning twice is cleaning
    once, and so is redaction: only rows that redaction changed are cleaned again, and of these only those that cleaning
    changed are redacted again.

    Args:
        table: `schema.ROWS`, of one kind.
        kind: of all of them.
        recipe: of the run.
        engine: that computes.
    """
    curate = recipe.curate
    cleaners = getattr(curate.clean, kind) if curate.clean else []
    ledger: list[pa.Table] = []
    counts: Counter[str] = Counter()
    done, places = [], []
    here = np.arange(len(table))
    changed = np.ones(len(table), np.bool_)  # rows of the table that redaction has changed last
    for turn in range(_ROUNDS):
        some = only(table, changed, engine)
        messages = one_array(some["messages"])
        contents, calm = engine.clean_until_stable(contents_of(messages), cleaners)
        moving = _rows_where(messages, ~calm)
        if turn:
            moved = moving | _changed(messages, contents)
            if not moved.any():
                break
            stays = ~changed
            stays[changed] = ~moved
            done.append(only(table, stays, engine))
            places.append(here[stays])
            here, moving = here[~stays], moving[moved]
            table = only(_with_messages(some, with_contents(messages, contents)), moved, engine)
        else:
            table = _with_messages(some, with_contents(messages, contents))
        del some, messages, contents  # a long row is held no longer than it is used
        _give_back(table)
        if moving.any():
            rounds: dict[str, float] = {"value": CLEANING_ROUNDS, "threshold": CLEANING_ROUNDS}
            ledger.append(_lines(table, moving, stage="clean", rule="restless", **rounds))
            table, here = only(table, ~moving, engine), here[~moving]
        if curate.pii is None:
            break
        redacted = redact(table, curate.pii, engine)
        counts.update(redacted.counts)
        if redacted.failed.any():
            ledger.append(ledger_of(table, redacted))
            table, here = only(table, ~redacted.failed, engine), here[~redacted.failed]
        changed = _changed(one_array(table["messages"]), contents_of(one_array(redacted.table["messages"])))
        table = redacted.table
        del redacted
        if not changed.any():
            break
    else:
        ledger.append(_lines(table, changed, stage="redact", rule="restless"))
        table, here = only(table, ~changed, engine), here[~changed]
    done.append(table)
    places.append(here)
    at = np.concatenate(places)
    done = [rows for rows in done if len(rows)] or done[:1]
    # Where several rounds have rows, back into their order.
    table = done[0] if len(done) == 1 else taken(done, np.argsort(at), engine)
    return Settled(table=table.combine_chunks(), rows=np.sort(at), counts=dict(counts), ledger=ledger)


def _give_back(table: pa.Table) -> None:
    if table.nbytes > _LONG:
        pa.default_memory_pool().release_unused()


def _with_messages(table: pa.Table, messages: pa.ListArray) -> pa.Table:
    place = table.schema.get_field_index("messages")
    return table.set_column(place, table.schema.field("messages"), messages)


def _changed(before: pa.ListArray, after: pa.LargeStringArray) -> NDArray[np.bool_]:
    """Rows in which some content is not what it was: bool [rows]; after, contents are in the same order."""
    contents = contents_of(before)
    if contents.equals(after):
        return np.zeros(len(before), np.bool_)
    return _rows_where(before, pc.not_equal(contents, after).to_numpy(zero_copy_only=False))


def _rows_where(messages: pa.ListArray, chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Rows of which some message is chosen: bool [rows]."""
    found = np.zeros(len(messages), np.bool_)
    found[rows_of(messages)[chosen]] = True
    return found


def _filled(messages: pa.ListArray, kind: str) -> NDArray[np.bool_]:
    """Whether a row still says something: bool [rows]."""
    blank = _blank(contents_of(messages))
    blanks = np.bincount(rows_of(messages), weights=blank, minlength=len(messages))
    if kind in _SENDER_KINDS:
        return np.asarray(blanks == 0)
    filled: NDArray[np.bool_] = blanks < messages.value_lengths().to_numpy(zero_copy_only=False)
    silent = np.flatnonzero(blank)
    here = pa.array(silent)
    roles, extras = messages.flatten().field("role").take(here).to_pylist(), extras_of(messages).take(here).to_pylist()
    for row, role, extra in zip(rows_of(messages)[silent].tolist(), roles, extras, strict=True):
        if must_speak(role, json.loads(extra) if extra else {}):  # as when it was read
            filled[row] = False
    return filled


def _blank(contents: pa.LargeStringArray) -> NDArray[np.bool_]:
    """Whether a text is nothing but white space: bool [texts].

    Only texts whose first byte may begin white space are read further: a control character or a blank, or the first of
    several bytes of U+0085 and U+00A0 (C2), U+1680 (E1), U+2000 to U+205F (E2) or U+3000 (E3).
    """
    buffer, bounds = from_arrow(contents)
    blank: NDArray[np.bool_] = bounds[:-1] == bounds[1:]
    first = buffer[np.minimum(bounds[:-1], len(buffer) - 1)] if len(buffer) else np.zeros(len(blank), np.uint8)
    may_begin = (first <= 32) | (first == 0xC2) | ((first >= 0xE1) & (first <= 0xE3))
    for row in np.flatnonzero(~blank & may_begin).tolist():
        blank[row] = _is_space(buffer[bounds[row] : bounds[row + 1]])
    return blank


def _is_space(text: NDArray[np.uint8]) -> bool:
    """Whether all characters are white space; no more of a text is copied than it takes to know."""
    begun = text[:_PIECE].tobytes().lstrip()
    if begun and 32 < begun[0] < 127:  # most texts that begin with white space
        return False
    decoder = getincrementaldecoder("utf-8")()
    pieces = (decoder.decode(text[at : at + _PIECE].tobytes()) for at in range(0, len(text), _PIECE))
    return all(piece.isspace() for piece in pieces if piece)


def _lines(
    table: pa.Table,
    which: NDArray[np.bool_],
    *,
    stage: str,
    rule: str,
    value: float = _ROUNDS,
    threshold: float = _ROUNDS,
) -> pa.Table:
    """One ledger line for each of the rows."""
    rows = table.select(["id", "source"]).filter(pa.array(which))
    count = len(rows)
    same = [pa.repeat(stage, count), pa.repeat(rule, count), pa.array([value] * count, pa.float64())]
    bound = [pa.array([threshold] * count, pa.float64()), pa.nulls(count, pa.string())]
    return pa.table([rows["id"], rows["source"], *same, *bound], schema=LEDGER)
