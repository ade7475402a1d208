"""Some rows of a part worked on: those of each kind together, then all back in the order in which they came."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.config import Recipe
from pipeline.curate.decontaminate.index import NgramIndex
from pipeline.curate.keys import keys_of
from pipeline.curate.messages import one_array
from pipeline.curate.rowwise import Processed, process
from pipeline.engines import Engine
from pipeline.engines.conversations import taken
from pipeline.ingest import Ingested
from pipeline.schema import DOCUMENTS, LEDGER, VERDICTS

__all__ = ["CuratedSlice", "curate_slice"]


@dataclass(frozen=True, kw_only=True)
class CuratedSlice:
    """What pass one made of some rows; every table is in the order in which the rows came in.

    Attributes:
        kept: `schema.DOCUMENTS`, the rows that passed every rule.
        keys: `schema.KEYS`, of the same rows.
        measured: `schema.VERDICTS`, the rows that reached the rules.
        ledger: `schema.LEDGER`, of the rows that could not be read, were lost or failed a rule.
        rules: rule → `failed` and `alone`, rows.
        redacted: entity → replacements.
        excerpts: id → redacted beginning, of some rows that failed a rule.
        cut: `schema.LEDGER`, what was cut out of rows that are kept.
    """

    kept: pa.Table
    keys: pa.Table
    measured: pa.Table
    ledger: pa.Table
    rules: list[dict[str, dict[str, int]]]
    redacted: dict[str, int]
    excerpts: dict[str, str]
    cut: pa.Table


def curate_slice(
    ingested: Ingested,
    recipe: Recipe,
    engine: Engine,
    left: Mapping[str, int],
    evaluation: NgramIndex | None = None,
) -> CuratedSlice:
    """Do all row-wise work on some rows. The result of a row depends on no other row.

    Args:
        ingested: of any kinds.
        recipe: of the run.
        engine: that computes.
        left: rule → of how many more rows excerpts are wanted (`Excerpts.left`).
        evaluation: the recipe's evaluation sets.
    """
    kinds = one_array(ingested.rows["kind"]).to_numpy(zero_copy_only=False)
    rows, done = [], []
    for kind in sorted(set(kinds.tolist())):
        rows.append(np.flatnonzero(kinds == kind))
        done.append(process(_taken(ingested.rows, rows[-1], engine), kind, recipe, engine, left, evaluation))
    reached = [here[one.reached] for here, one in zip(rows, done, strict=True)]
    kept = _in_order(
        DOCUMENTS,
        [one.kept for one in done],
        [here[one.passed] for here, one in zip(reached, done, strict=True)],
        engine,
    )
    redacted: Counter[str] = Counter()
    for one in done:
        redacted.update(one.redacted)
    return CuratedSlice(
        kept=kept,
        keys=keys_of(kept, recipe, engine),
        measured=_in_order(VERDICTS, [one.measured for one in done], reached),
        ledger=_ledger(ingested, done),
        rules=[one.rules for one in done],
        redacted=dict(redacted),
        excerpts={row: excerpt for one in done for row, excerpt in one.excerpts.items()},
        cut=_cut_and_kept(done, kept),
    )


def _cut_and_kept(done: Sequence[Processed], kept: pa.Table) -> pa.Table:
    """What was cut out of rows that then passed every rule, in the order of the rows."""
    lines = pa.concat_tables([one.cut for one in done] or [LEDGER.empty_table()])
    places = pc.index_in(lines["id"], value_set=one_array(kept["id"]))
    stays = pc.is_valid(places)
    return _in_order(LEDGER, [lines.filter(stays)], [places.filter(stays).to_numpy().astype(np.int64)])


def _ledger(ingested: Ingested, done: Sequence[Processed]) -> pa.Table:
    """All lines by the places of their rows; those of one row stay in the order in which they were drawn up."""
    lines = pa.concat_tables([line for one in done for line in one.ledger] or [ingested.rejected.slice(0, 0)])
    rows = pc.index_in(lines["id"], ingested.rows["id"]).to_numpy().astype(np.int64)
    places = np.concatenate([ingested.rejected_places, ingested.places[rows]])
    return _in_order(lines.schema, [ingested.rejected, lines], [places])


def _in_order(
    schema: pa.Schema,
    tables: Sequence[pa.Table],
    places: Sequence[NDArray[np.int64]],
    engine: Engine | None = None,
) -> pa.Table:
    """Rows of several tables in the order of their places: int64 [rows of all]. Copied only where they must move.

    The engine's copies of their contents follow, where they have contents and it is given.
    """
    tables = [table for table in tables if len(table)] or [schema.empty_table()]
    together = tables[0] if len(tables) == 1 else pa.concat_tables(tables)
    order = np.concatenate([np.zeros(0, np.int64), *places])
    if np.all(order[1:] >= order[:-1]) and (engine is None or len(tables) == 1):
        return together.combine_chunks()
    rows = np.argsort(order, kind="stable")
    return together.take(pa.array(rows)) if engine is None else taken(tables, rows, engine)


def _taken(table: pa.Table, rows: NDArray[np.int64], engine: Engine) -> pa.Table:
    return table if len(rows) == len(table) else taken([table], rows, engine)
