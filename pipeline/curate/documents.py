"""Pass one: each part is read once, and everything row-wise is done while it is in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.cluster import run_parts
from pipeline.config import Recipe
from pipeline.curate.excerpts import excerpts_of, first_of_each_rule, merge_excerpts
from pipeline.curate.keys import keys_of
from pipeline.curate.messages import contents_of, rows_of, with_contents
from pipeline.curate.parquet import write_parquet
from pipeline.curate.redact import identity, ledger_of, redact
from pipeline.curate.rules import failures, rules_for
from pipeline.engines import Engine, engine_for
from pipeline.errors import InputError
from pipeline.ingest import Block, Survey, plan_parts, read_blocks, survey
from pipeline.progress import Progress
from pipeline.run import Manifest, PartRecord, Rows, RunDirectory, Stage
from pipeline.schema import DOCUMENTS, KEYS, LEDGER, SIGNALS

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["run_stage", "stage", "survey_sources"]

VERSION = 1
_SENDER_KINDS = ("text", "code", "pair")
"""Kinds in which no message may be blank; of a chat some message must be left."""


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
                for kind in ("text", "code", "pair", "chat")
            },
            "pii": identity(curate.pii),
            "sketch": {"values": fuzzy.sketch, "shingle": fuzzy.shingle} if fuzzy else None,
            "part_bytes": recipe.ingest.part_bytes,
            "max_row_bytes": recipe.ingest.max_row_bytes,
            "sources": {source.name: source.model_dump(mode="json") for source in recipe.sources},
        },
        inputs={source.name: survey.fingerprint for source, survey in zip(recipe.sources, surveys, strict=True)},
        folders=("documents", "keys"),
    )


def run_stage(run: RunDirectory, recipe: Recipe, surveys: Sequence[Survey], client: Callable[[], Client]) -> Manifest:
    """Run the stage unless it is there.

    Raises:
        InputError: more rows are malformed than `ingest.max_rejected` allows.
    """
    this = stage(run, recipe, surveys)
    if done := this.manifest():
        _check_rejected(this, recipe, Rows.from_json(done.rows or {}))
        return done
    finished = this.begin()
    parts = plan_parts(surveys, recipe.ingest.part_bytes)
    jobs = [
        _Job(stage=this, recipe=recipe, number=number, blocks=blocks)
        for number, blocks in enumerate(parts)
        if f"part-{number:05d}" not in finished
    ]
    with Progress("documents", total=len(parts)) as progress:

        def show(record: PartRecord, units: int = 1) -> None:
            rows = record.counts["rows"]
            progress.advance(
                units, rows=rows["in"], bytes=record.counts["bytes_in"], dropped=rows["dropped"] + rows["rejected"]
            )

        for record in finished.values():
            show(record)
        records = list(finished.values())
        if jobs:
            records += run_parts(client(), curate_part, jobs, stage="documents", on_done=show)
    # In the order of parts, however they came: what is summed up must not depend on an interruption.
    counts = [record.counts for record in sorted(records, key=lambda record: record.part)]
    rows = _total_rows(count["rows"] for count in counts)
    _check_rejected(this, recipe, rows)
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
            "rules": _total(count["rules"] for count in counts),
            "redacted": _total(count["redacted"] for count in counts),
            "excerpts": merge_excerpts(count["excerpts"] for count in counts),
        },
    )


@dataclass(frozen=True, kw_only=True)
class _Job:
    stage: Stage
    recipe: Recipe
    number: int
    blocks: tuple[Block, ...]


def curate_part(job: _Job) -> PartRecord:
    """Read the blocks of one part, do all row-wise work, write its files and its record."""
    recipe = job.recipe
    engine = engine_for("cpu")
    ingested = read_blocks(job.blocks, max_row_bytes=recipe.ingest.max_row_bytes)
    ledger = [ingested.rejected]
    redacted: Counter[str] = Counter()
    excerpts: dict[str, str] = {}
    documents = []
    order = []
    kinds = np.asarray(ingested.rows["kind"])
    for kind in sorted(set(kinds.tolist())):
        rows = np.flatnonzero(kinds == kind)
        done = _process(ingested.rows.take(pa.array(rows)).combine_chunks(), kind, recipe, engine)
        documents.append(done.table)
        order.append(rows[done.kept])
        ledger += done.ledger
        redacted.update(done.redacted)
        excerpts.update(done.excerpts)
    table = pa.concat_tables([DOCUMENTS.empty_table(), *documents])
    if order:
        table = table.take(pa.array(np.argsort(np.concatenate(order), kind="stable")))
    name = f"part-{job.number:05d}"
    lines = pa.concat_tables([LEDGER.empty_table(), *ledger])
    path = job.stage.run.path
    write_parquet(path(f"documents/{name}.parquet"), table, DOCUMENTS)
    write_parquet(path(f"documents/dropped-{job.number:05d}.parquet"), lines, LEDGER)
    write_parquet(path(f"keys/{name}.parquet"), keys_of(table, recipe, engine), KEYS)
    return job.stage.commit(
        name,
        {
            f"documents/{name}.parquet": len(table),
            f"documents/dropped-{job.number:05d}.parquet": len(lines),
            f"keys/{name}.parquet": len(table),
        },
        {
            "rows": _rows(ingested.rows_in, len(table), len(ingested.rejected)),
            "bytes_in": ingested.bytes_in,
            "sources": _by_source(ingested.rows, ingested.rejected, table),
            "rules": dict(sorted(_count(lines["rule"]).items())),
            "redacted": dict(redacted),
            "excerpts": first_of_each_rule(lines, excerpts),
        },
    )


@dataclass(frozen=True, kw_only=True)
class _Processed:
    table: pa.Table
    kept: np.ndarray  # indices of the table's rows among those that came in
    ledger: list[pa.Table]
    redacted: dict[str, int]
    excerpts: dict[str, str]


def _process(table: pa.Table, kind: str, recipe: Recipe, engine: Engine) -> _Processed:
    """Clean, measure, judge and redact rows of one kind."""
    curate = recipe.curate
    messages = table["messages"].combine_chunks()
    cleaners = getattr(curate.clean, kind) if curate.clean else []
    contents = engine.clean(contents_of(messages), cleaners)
    messages = with_contents(messages, contents)
    filled = _filled(messages, contents, kind)
    blank = _blank_lines(table, ~filled)
    here = np.flatnonzero(filled)
    table, messages = table.take(pa.array(here)), messages.take(pa.array(here))

    texts = engine.join(messages)
    signals = engine.signals(texts)
    ids, sources = table["id"].combine_chunks(), table["source"].combine_chunks()
    passed, failed = failures(rules_for(curate.rules, kind), signals, ids, sources)
    kept = np.flatnonzero(passed)

    table = table.set_column(table.schema.get_field_index("messages"), DOCUMENTS.field("messages"), messages)
    for name, dtype in SIGNALS.items():
        table = table.append_column(DOCUMENTS.field(name), pa.array(signals[name], dtype))
    table = table.take(pa.array(kept)).combine_chunks()
    redacted: dict[str, int] = {}
    unredacted = LEDGER.empty_table()
    if curate.pii is not None:
        done = redact(table, curate.pii, engine)
        unredacted = ledger_of(table, done)
        table, redacted, kept = done.table, done.counts, kept[~done.failed]
    return _Processed(
        table=table.cast(DOCUMENTS),
        kept=here[kept],
        ledger=[blank, failed, unredacted],
        redacted=redacted,
        excerpts=excerpts_of(failed, ids, texts, engine),
    )


def _filled(messages: pa.ListArray, contents: pa.LargeStringArray, kind: str) -> np.ndarray:
    """Whether a row still says something after cleaning: bool [rows]."""
    blank = pc.equal(pc.utf8_length(pc.utf8_trim_whitespace(contents)), 0).to_numpy(zero_copy_only=False)
    blanks = np.bincount(rows_of(messages), weights=blank, minlength=len(messages))
    if kind in _SENDER_KINDS:
        return np.asarray(blanks == 0)
    return np.asarray(blanks < messages.value_lengths().to_numpy(zero_copy_only=False))


def _blank_lines(table: pa.Table, blank: np.ndarray) -> pa.Table:
    rows = table.filter(pa.array(blank)).select(["id", "source"])
    count = len(rows)
    nothing = [pa.repeat("clean", count), pa.repeat("empty", count), pa.array([0.0] * count), pa.array([1.0] * count)]
    return pa.table([rows["id"], rows["source"], *nothing, pa.nulls(count, pa.string())], schema=LEDGER)


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


def _total(counts: Iterable[dict[str, Any]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for count in counts:
        total.update(count)
    return dict(sorted(total.items()))


def _check_rejected(this: Stage, recipe: Recipe, rows: Rows) -> None:
    if rows.rejected <= recipe.ingest.max_rejected * rows.in_:
        return
    examples: list[str] = []
    for path in sorted(this.run.path("documents").glob("dropped-*.parquet")):
        lines = pq.read_table(path, filters=[("stage", "=", "ingest")])
        examples += map(": ".join, zip(lines["rule"].to_pylist(), lines["evidence"].to_pylist(), strict=True))
        if len(examples) >= 5:
            break
    raise InputError(
        f"{rows.rejected} of {rows.in_} rows ({rows.rejected / rows.in_:.1%}) are malformed, more than "
        f"ingest.max_rejected allows ({recipe.ingest.max_rejected:.1%}):\n"
        + "\n".join(f"  - {example}" for example in examples[:5]),
        where=", ".join(source.name for source in recipe.sources),
        mend="mend those rows, or raise ingest.max_rejected to let the run go on without them",
    )
