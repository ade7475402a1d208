"""Pass one: each part is read once, and everything row-wise is done while it is in memory."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.cluster import run_parts
from pipeline.config import RULE_KINDS, Recipe
from pipeline.curate.compilation import ensure_compiled
from pipeline.curate.excerpts import first_of_each_rule, merge_excerpts
from pipeline.curate.keys import keys_of
from pipeline.curate.parquet import write_parquet
from pipeline.curate.redact import identity
from pipeline.curate.rejections import Rejections, check_rejected
from pipeline.curate.rowwise import process
from pipeline.curate.rules import rules_for
from pipeline.engines import engine_for
from pipeline.ingest import Block, Survey, plan_parts, read_blocks, survey
from pipeline.progress import Progress
from pipeline.run import Manifest, PartRecord, Rows, RunDirectory, Stage
from pipeline.schema import DOCUMENTS, KEYS, LEDGER, VERDICTS

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["run_stage", "stage", "survey_sources"]

VERSION = 2


def survey_sources(recipe: Recipe) -> list[Survey]:
    """Look at every source once: what is there, its content fingerprint, where parts can be cut."""
    with ThreadPoolExecutor() as pool:
        return list(pool.map(partial(survey, part_bytes=recipe.ingest.part_bytes), recipe.sources))


def stage(run: RunDirectory, recipe: Recipe, surveys: Sequence[Survey]) -> Stage:
    """The stage `documents`: what it is made from."""
    curate, fuzzy = recipe.curate, recipe.curate.dedup.fuzzy
    return Stage(
        run=run,
        name="documents",
        version=VERSION,
        config={
            "clean": curate.clean.model_dump(mode="json") if curate.clean else None,
            "rules": {
                kind: {name: bound.model_dump(mode="json") for name, bound in rules_for(curate.rules, kind).items()}
                for kind in RULE_KINDS
            },
            "pii": identity(curate.pii),
            "sketch": {"values": fuzzy.sketch, "shingle": fuzzy.shingle} if fuzzy else None,
            "part_bytes": recipe.ingest.part_bytes,
            "max_row_bytes": recipe.ingest.max_row_bytes,
            "sources": {source.name: source.model_dump(mode="json") for source in recipe.sources},
        },
        inputs={source.name: survey.fingerprint for source, survey in zip(recipe.sources, surveys, strict=True)},
        folders=("documents", "keys", "signals"),
    )


def run_stage(run: RunDirectory, recipe: Recipe, surveys: Sequence[Survey], client: Callable[[], Client]) -> Manifest:
    """Run the stage unless it is there.

    Raises:
        InputError: more rows are malformed than `ingest.max_rejected` allows.
    """
    this = stage(run, recipe, surveys)
    if done := this.manifest():
        check_rejected(run, recipe, Rows.from_json(done.rows or {}))
        return done
    finished = this.begin()
    parts = plan_parts(surveys, recipe.ingest.part_bytes)
    jobs = [
        _Job(stage=this, recipe=recipe, number=number, blocks=blocks)
        for number, blocks in enumerate(parts)
        if f"part-{number:05d}" not in finished
    ]
    if jobs and recipe.cluster.address is None:
        ensure_compiled(_tell_of_compiling)  # else every worker would do it, one core each
    rejections = Rejections(run, recipe, parts)
    with Progress("documents", total=len(parts)) as progress:

        def done_with(*records: PartRecord) -> None:
            for record in records:
                rows = record.counts["rows"]
                gone = rows["dropped"] + rows["rejected"]
                progress.advance(rows=rows["in"], bytes=record.counts["bytes_in"], dropped=gone)
            rejections.add(records)

        records = list(finished.values())
        done_with(*records)
        if jobs:
            records += run_parts(client(), curate_part, jobs, stage="documents", on_done=done_with)
    # In the order of parts, however they came: what is summed up must not depend on an interruption.
    counts = [record.counts for record in sorted(records, key=lambda record: record.part)]
    rows = _total_rows(count["rows"] for count in counts)
    check_rejected(run, recipe, rows)
    return this.finish(
        parts=len(parts),
        rows=rows,
        summary={
            "bytes_in": sum(count["bytes_in"] for count in counts),
            "sources": {
                source.name: _total_rows(
                    count["sources"][source.name] for count in counts if source.name in count["sources"]
                ).to_json()
                for source in recipe.sources
            },
            "rules": _total_rules(count["rules"] for count in counts),
            "redacted": _total(count["redacted"] for count in counts),
            "excerpts": merge_excerpts(count["excerpts"] for count in counts),
        },
    )


def _tell_of_compiling() -> None:
    print("compiling the text kernels: once on this machine, about half a minute", file=sys.stderr, flush=True)


@dataclass(frozen=True, kw_only=True)
class _Job:
    stage: Stage
    recipe: Recipe
    number: int
    blocks: tuple[Block, ...]


def curate_part(job: _Job) -> PartRecord:
    """Read the blocks of one part, do all row-wise work, write its files and its record."""
    recipe = job.recipe
    ensure_compiled()  # a worker of a joined scheduler may be the first on its machine
    engine = engine_for("cpu")
    ingested = read_blocks(job.blocks, max_row_bytes=recipe.ingest.max_row_bytes)
    ledger = [ingested.rejected]
    redacted: Counter[str] = Counter()
    excerpts: dict[str, str] = {}
    rules = []
    kept, measured = _Ordered(DOCUMENTS), _Ordered(VERDICTS)
    kinds = np.asarray(ingested.rows["kind"])
    for kind in sorted(set(kinds.tolist())):
        rows = np.flatnonzero(kinds == kind)
        done = process(ingested.rows.take(pa.array(rows)).combine_chunks(), kind, recipe, engine)
        measured.add(done.measured, rows[done.reached])
        kept.add(done.kept, rows[done.reached][done.passed])
        ledger += done.ledger
        rules.append(done.rules)
        redacted.update(done.redacted)
        excerpts.update(done.excerpts)
    table = kept.table()
    name = f"part-{job.number:05d}"
    lines = pa.concat_tables([LEDGER.empty_table(), *ledger])
    path = job.stage.run.path
    write_parquet(path(f"documents/{name}.parquet"), table, DOCUMENTS)
    write_parquet(path(f"documents/dropped-{job.number:05d}.parquet"), lines, LEDGER)
    write_parquet(path(f"keys/{name}.parquet"), keys_of(table, recipe, engine), KEYS)
    signals = measured.table()
    write_parquet(path(f"signals/{name}.parquet"), signals, VERDICTS)
    return job.stage.commit(
        name,
        {
            f"documents/{name}.parquet": len(table),
            f"documents/dropped-{job.number:05d}.parquet": len(lines),
            f"keys/{name}.parquet": len(table),
            f"signals/{name}.parquet": len(signals),
        },
        {
            "rows": _rows(ingested.rows_in, len(table), len(ingested.rejected)),
            "bytes_in": ingested.bytes_in,
            "sources": _by_source(ingested.rows, ingested.rejected, table),
            "rules": _total_rules(rules),
            "redacted": dict(redacted),
            "excerpts": first_of_each_rule(lines, excerpts),
        },
    )


class _Ordered:
    """Rows of several kinds put back into the order in which they came."""

    def __init__(self, schema: pa.Schema) -> None:
        self._tables = [schema.empty_table()]
        self._places = [np.zeros(0, np.int64)]

    def add(self, table: pa.Table, places: NDArray[np.int64]) -> None:
        """Add rows and where each stood."""
        self._tables.append(table)
        self._places.append(places)

    def table(self) -> pa.Table:
        """All of them, in order."""
        order = np.argsort(np.concatenate(self._places), kind="stable")
        return pa.concat_tables(self._tables).take(pa.array(order))


def _rows(in_: int, kept: int, rejected: int) -> dict[str, int]:
    return Rows(in_=in_, kept=kept, dropped=in_ - kept - rejected, rejected=rejected).to_json()


def _by_source(rows: pa.Table, rejected: pa.Table, kept: pa.Table) -> dict[str, dict[str, int]]:
    read, bad, left = (_count(table["source"]) for table in (rows, rejected, kept))
    return {name: _rows(read[name] + bad[name], left[name], bad[name]) for name in sorted({*read, *bad})}


def _count(column: pa.ChunkedArray) -> Counter[str]:
    return Counter({pair["values"]: pair["counts"] for pair in pc.value_counts(column).to_pylist()})


def _total_rows(counts: Iterable[dict[str, int]]) -> Rows:
    total = Counter({"in": 0, "kept": 0, "dropped": 0, "rejected": 0})
    for count in counts:
        total.update(count)
    return Rows.from_json(total)


def _total_rules(counts: Iterable[dict[str, dict[str, int]]]) -> dict[str, dict[str, int]]:
    """Rule → how many rows fail it, and how many fail it alone."""
    total: dict[str, Counter[str]] = {}
    for count in counts:
        for rule, rows in count.items():
            total.setdefault(rule, Counter(failed=0, alone=0)).update(rows)
    return {rule: dict(rows) for rule, rows in sorted(total.items())}


def _total(counts: Iterable[dict[str, Any]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for count in counts:
        total.update(count)
    return dict(sorted(total.items()))
