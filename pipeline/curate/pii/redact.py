"""Redact personal data in message contents and in a row's JSON columns; a row that cannot be redacted is lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.config import Pii
from pipeline.curate.messages import contents_of, extras_of, one_array, rows_of, with_contents
from pipeline.curate.pii import names
from pipeline.curate.pii.operators import key_check, key_problem, operators_of
from pipeline.engines import ENTITIES, Engine
from pipeline.engines.phones import COUNTRIES
from pipeline.engines.redaction import Redaction
from pipeline.engines.stand_ins import note_numbers
from pipeline.errors import ProjectError
from pipeline.schema import LEDGER

__all__ = ["Redacted", "entities_of", "identity", "ledger_of", "problems", "redact"]

UNSETTLED = "Unsettled"
"""The reason of a row in which something was still found after many rounds."""


@dataclass(frozen=True, kw_only=True)
class Redacted:
    """Rows after redaction."""

    table: pa.Table
    """Those that were redacted, in their order."""
    counts: dict[str, int]
    """Entity → number of replacements in them."""
    failed: np.ndarray
    """bool, one for each row that came in: it could not be redacted, and is not in the table."""
    reasons: list[str]
    """For each failed row the type of the exception; never its text, which may quote the row."""


def entities_of(pii: Pii) -> tuple[str, ...]:
    """What the kernels look for, in the order of `ENTITIES`."""
    return ENTITIES if pii.entities == "all" else tuple(name for name in ENTITIES if name in pii.entities)


def redact(table: pa.Table, pii: Pii, engine: Engine) -> Redacted:
    """Put stand-ins in place of personal data in contents, `metadata`, `extra` and `tools`.

    What fails is tried again in halves until the rows that fail by themselves are found. Nothing of them is passed on.

    Raises:
        ProjectError: The key of `hash` or the model of `ner` is missing, which is no row's fault.
    """
    looked_for = entities_of(pii)
    finder = names.finder(pii.ner) if pii.ner else None
    every = (*ENTITIES, *(finder.names if finder else ()))
    numbered = any(pii.operator_of(name) == "pseudonym" for name in every)

    def attempt(rows: pa.Table) -> Redacted:
        try:
            # Its numbers begin anew with every attempt.
            stand_ins = operators_of(pii, every, _taken(rows, every) if numbered else None)
            options = {
                "countries": COUNTRIES if pii.countries is None else pii.countries,
                "also": finder,
                "stand_ins": stand_ins,
            }
            return _redact(rows, pii, engine, looked_for, options)
        except ProjectError:
            raise
        except Exception as error:
            if len(rows) == 1:
                return _lost(rows, type(error).__name__)
        half = len(rows) // 2
        return _together(attempt(rows.slice(0, half)), attempt(rows.slice(half)))

    done = attempt(table)
    wanted = [*looked_for, *(finder.names if finder else ())]
    return Redacted(
        table=done.table,
        counts={name: done.counts.get(name, 0) for name in wanted},
        failed=done.failed,
        reasons=done.reasons,
    )


def ledger_of(rows: pa.Table, done: Redacted) -> pa.Table:
    """The ledger's lines of the rows that failed: rule `failed` of the stage `redact`.

    Args:
        rows: What went into `redact`.
        done: What came out.
    """
    lost = rows.select(["id", "source"]).filter(pa.array(done.failed))
    count = len(lost)
    return pa.table(
        {
            "id": lost["id"],
            "source": lost["source"],
            "stage": pa.repeat("redact", count),
            "rule": pa.repeat("failed", count),
            "value": pa.nulls(count, pa.float64()),
            "threshold": pa.nulls(count, pa.float64()),
            "evidence": pa.array(done.reasons, pa.string()),
        },
        schema=LEDGER,
    )


def problems(pii: Pii | None) -> list[str]:
    """What keeps the recipe's section from working on this machine; asked before a run starts."""
    if pii is None:
        return []
    key = key_problem(pii)
    return [*([f"curate.pii.key_env: {key}"] if key else []), *(names.problems(pii.ner) if pii.ner else [])]


def identity(pii: Pii | None) -> dict[str, Any] | None:
    """All that redaction depends on, for the fingerprint of a stage: the section, and which key and model it means."""
    if pii is None:
        return None
    model = names.identity(pii.ner) if pii.ner else None
    return {**pii.model_dump(mode="json"), "key": key_check(pii), "model": model}


def _redact(table: pa.Table, pii: Pii, engine: Engine, entities: Sequence[str], options: dict[str, Any]) -> Redacted:
    """All rows at once; whatever fails in one of them is raised."""
    messages = one_array(table["messages"])
    homes = rows_of(messages)
    settled = np.ones(len(table), np.bool_)
    counts = np.zeros(0, np.int64)

    def note(done: Redaction, rows: np.ndarray) -> None:
        nonlocal counts
        settled[rows[~done.settled]] = False
        found = done.counts.sum(axis=0)
        counts = counts + found if len(counts) else found

    contents = engine.redact(contents_of(messages), entities, rows=homes, **options)
    note(contents, homes)
    extras = None
    if pii.metadata == "redact":
        rows = np.arange(len(table))
        extras, done = _redact_json(extras_of(messages), homes, engine, entities, options)
        extras = extras.cast(pa.string())
        note(done, homes)
        for name in ("tools", "metadata"):
            column, done = _redact_json(one_array(table[name]), rows, engine, entities, options)
            note(done, rows)
            table = table.set_column(table.schema.get_field_index(name), table.schema.field(name), column)
    place = table.schema.get_field_index("messages")
    table = table.set_column(place, table.schema.field("messages"), with_contents(messages, contents.texts, extras))
    every = (*ENTITIES, *(options["also"].names if options["also"] else ()))
    return Redacted(
        table=table if settled.all() else table.filter(pa.array(settled)),
        counts=dict(zip(every, counts.tolist(), strict=True)),
        failed=~settled,
        reasons=[UNSETTLED] * int((~settled).sum()),
    )


def _taken(table: pa.Table, entities: Sequence[str]) -> np.ndarray:
    """The greatest number of each entity's pseudonyms that a row came with: int64 [rows, entities]."""
    taken = np.zeros((len(table), len(entities)), np.int64)
    messages = one_array(table["messages"])
    for texts in (contents_of(messages), extras_of(messages)):
        note_numbers(texts, rows_of(messages), entities, taken)
    for name in ("tools", "metadata"):
        note_numbers(one_array(table[name]), np.arange(len(table)), entities, taken)
    return taken


def _redact_json(
    column: pa.Array, rows: np.ndarray, engine: Engine, entities: Sequence[str], options: dict[str, Any]
) -> tuple[pa.LargeStringArray, Redaction]:
    """Redact a column of JSON texts, nulls among them."""
    column = column.cast(pa.large_string())
    if column.null_count == len(column):  # as `tools` and `extra` of most rows
        entities_known = len(ENTITIES) + (len(options["also"].names) if options["also"] else 0)
        return column, Redaction(
            column, np.zeros((len(column), entities_known), np.int64), np.ones(len(column), np.bool_)
        )
    done = engine.redact_json(pc.fill_null(column, ""), entities, rows=rows, **options)
    if not column.null_count:
        return done.texts, done
    return pc.if_else(pc.is_valid(column), done.texts, pa.scalar(None, pa.large_string())), done


def _lost(row: pa.Table, reason: str) -> Redacted:
    return Redacted(table=row.slice(0, 0), counts={}, failed=np.ones(1, np.bool_), reasons=[reason])


def _together(first: Redacted, second: Redacted) -> Redacted:
    return Redacted(
        table=pa.concat_tables([first.table, second.table]),
        counts=dict(Counter(first.counts) + Counter(second.counts)),
        failed=np.concatenate([first.failed, second.failed]),
        reasons=first.reasons + second.reasons,
    )
