"""What is shared is taken out of the rows, and what is left of them goes through pass one's steps again.

A text that was cut is another text: what a cut joins may be an address, or a line that a cleaner mends, and a rule may
fail. So a row that was cut is cleaned, redacted, measured and judged anew, and may be dropped.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.atomic import write_json
from pipeline.config import Recipe
from pipeline.curate.compilation import ensure_compiled
from pipeline.curate.decontaminate.index import NgramIndex
from pipeline.curate.dedup.work import Map
from pipeline.curate.messages import contents_of, one_array, rows_of, with_contents
from pipeline.curate.parquet import write_parquet
from pipeline.curate.rowwise import process
from pipeline.curate.substrings.search import spans_of
from pipeline.curate.substrings.texts import Part, current
from pipeline.engines import Engine, engine_for
from pipeline.engines.columns import from_arrow
from pipeline.engines.spans import Spans
from pipeline.schema import DOCUMENTS, LEDGER, ROWS

__all__ = ["cut"]


@dataclass(frozen=True, kw_only=True)
class _Job:
    part: Part
    spans: Path
    cuts: Path
    recipe: Recipe
    evaluation: Path | None


def cut(
    parts: Sequence[Part],
    spans: Sequence[Path],
    recipe: Recipe,
    folder: Path,
    turn: int,
    run: Map,
    evaluation: Path | None = None,
) -> tuple[list[Part], Counter[str]]:
    """Cut what is shared out of every part.

    Args:
        parts: as they stand.
        spans: of `search`.
        recipe: of the run.
        folder: for the files of the rows that were cut.
        turn: which round it is.
        run: runs tasks.
        evaluation: the n-grams of the recipe's evaluation sets.

    Returns:
        The parts as they stand now; and how many `rows` were cut, how many of them were `dropped`, how many `bytes`
        were cut, and how many messages were `spared`.
    """
    jobs = [
        _Job(part=part, spans=path, cuts=folder / f"{part.number:05d}-{turn:02d}", recipe=recipe, evaluation=evaluation)
        for part, path in zip(parts, spans, strict=True)
    ]
    counts = run(cut_part, jobs)
    total: Counter[str] = Counter()
    for count in counts:
        total.update(count)
    changed = [
        job.part.after(job.cuts, turn + 1) if count["rows"] else job.part
        for job, count in zip(jobs, counts, strict=True)
    ]
    return changed, total


def cut_part(job: _Job) -> dict[str, int]:
    """Cut one part; write its rows that were cut so far, and the lines of those that were dropped."""
    last = job.cuts.with_name(f"{job.cuts.name}.json")
    if last.exists():
        done: dict[str, int] = json.loads(last.read_text(encoding="utf-8"))
        return done
    counts = {"rows": 0, "dropped": 0, "bytes": 0, "spared": 0}
    if spans_of(job.spans)[0].size:
        ensure_compiled()
        engine = engine_for("cpu")
        table, _ = current(job.part, ROWS.names)
        done_with = _cut_rows(table, *spans_of(job.spans), engine)
        counts = {
            "rows": len(done_with.rows) + len(done_with.emptied),
            "dropped": len(done_with.emptied),
            "bytes": done_with.bytes,
            "spared": done_with.spared,
        }
        if counts["rows"]:
            evaluation = NgramIndex.load(job.evaluation) if job.evaluation else None
            kept, lines, held = _again(done_with.rows, job.recipe, engine, evaluation)
            counts["dropped"] += len(done_with.rows) - len(kept)
            _write(job, kept, pa.concat_tables([done_with.emptied, *lines]), held)
    write_json(last, counts)
    return counts


@dataclass(frozen=True, kw_only=True)
class _Cut:
    """Rows after cutting.

    Attributes:
        rows: `schema.ROWS`, those of which something is left.
        emptied: `schema.LEDGER`, a line for each of the others.
        bytes: that were cut.
        spared: messages that would be blank, in rows that would not.
    """

    rows: pa.Table
    emptied: pa.Table
    bytes: int
    spared: int


def _cut_rows(
    table: pa.Table,
    contents: NDArray[np.int64],
    firsts: NDArray[np.int64],
    lasts: NDArray[np.int64],
    engine: Engine,
) -> _Cut:
    """Cut spans of contents."""
    row_of = rows_of(one_array(table["messages"]))
    touched = np.unique(row_of[contents])
    # Only the rows with spans, and their contents numbered anew.
    number = np.searchsorted(np.flatnonzero(np.isin(row_of, touched)), contents)
    table = table.take(pa.array(touched)).combine_chunks()
    messages = one_array(table["messages"])
    texts, row_of = contents_of(messages), rows_of(messages)
    bounds = from_arrow(texts).bounds
    code = pc.equal(one_array(table["kind"]), "code").to_numpy(zero_copy_only=False)
    starts, ends = engine.cut_spans(
        texts, number, bounds[number] + firsts, bounds[number] + lasts, code[row_of[number]]
    )
    spans = Spans(number, starts, ends, np.zeros(len(number), np.int8)).only(ends > starts)

    cut_texts = _without(texts, spans, engine)
    emptied = _blank(cut_texts) & ~_blank(texts)
    says = np.bincount(row_of, weights=~_blank(cut_texts), minlength=len(table)) > 0
    spared = emptied & says[row_of]
    if spared.any():
        spans = spans.only(~spared[spans.rows])
        cut_texts = _without(texts, spans, engine)
    was_cut = np.zeros(len(table), np.bool_)
    was_cut[row_of[spans.rows]] = True

    shared = np.bincount(row_of[number], weights=lasts - firsts, minlength=len(table))
    sizes = np.bincount(row_of, weights=np.diff(bounds), minlength=len(table))
    place = table.schema.get_field_index("messages")
    after = table.set_column(place, ROWS.field("messages"), with_contents(messages, cut_texts))
    return _Cut(
        rows=after.filter(pa.array(was_cut & says)),
        emptied=_lines(table, was_cut & ~says, shared / np.maximum(sizes, 1)),
        bytes=int((spans.ends - spans.starts).sum()),
        spared=int(spared.sum()),
    )


def _without(texts: pa.LargeStringArray, spans: Spans, engine: Engine) -> pa.LargeStringArray:
    return engine.replace(texts, spans, pa.array([""] * len(spans.rows), pa.large_string()))


def _blank(texts: pa.LargeStringArray) -> NDArray[np.bool_]:
    blank: NDArray[np.bool_] = pc.equal(pc.utf8_length(pc.utf8_trim_whitespace(texts)), 0).to_numpy(
        zero_copy_only=False
    )
    return blank


def _lines(table: pa.Table, which: NDArray[np.bool_], shares: NDArray[np.float64]) -> pa.Table:
    """One ledger line a row that is boilerplate as a whole: which share of its bytes is shared."""
    rows = table.select(["id", "source"]).filter(pa.array(which))
    return pa.table(
        {
            "id": rows["id"],
            "source": rows["source"],
            "stage": pa.repeat("substrings", len(rows)),
            "rule": pa.repeat("boilerplate", len(rows)),
            "value": shares[which],
            "threshold": pa.nulls(len(rows), pa.float64()),
            "evidence": pa.nulls(len(rows), pa.string()),
        },
        schema=LEDGER,
    )


def _again(
    rows: pa.Table, recipe: Recipe, engine: Engine, evaluation: NgramIndex | None
) -> tuple[pa.Table, list[pa.Table], pa.Table]:
    """What pass one makes of the rows: `schema.DOCUMENTS`, ledger lines, and what of evaluation sets was cut out.

    The lines are of this stage, save those of rows that hold an evaluation text, as everywhere.
    """
    kept, lines, held = [DOCUMENTS.empty_table()], [], [LEDGER.empty_table()]
    for kind in pc.unique(rows["kind"]).to_pylist():
        done = process(rows.filter(pc.equal(rows["kind"], kind)).combine_chunks(), kind, recipe, engine, {}, evaluation)
        kept.append(done.kept)
        lines += done.ledger
        held.append(done.cut)
    place = LEDGER.get_field_index("stage")
    relabelled = [
        table.set_column(
            place,
            LEDGER.field("stage"),
            pc.if_else(pc.equal(table["stage"], "decontaminate"), "decontaminate", "substrings"),
        )
        for table in lines
    ]
    return pa.concat_tables(kept), relabelled, pa.concat_tables(held)


def _write(job: _Job, kept: pa.Table, lines: pa.Table, cut_out: pa.Table) -> None:
    """Write the state of the part: what was so before, and what is new; in the order of the part."""
    rows, dropped, held = [kept], [lines], [cut_out]
    if job.part.cuts is not None:
        before = pq.read_table(job.part.cut_rows, schema=DOCUMENTS)
        again = pc.is_in(before["id"], pa.concat_arrays([*kept["id"].chunks, *lines["id"].chunks]))
        rows.append(before.filter(pc.invert(again)))
        dropped.append(pq.read_table(job.part.dropped, schema=LEDGER))
        held.append(pq.read_table(job.part.held, schema=LEDGER))
    after = job.part.after(job.cuts, 0)
    assert after.cut_rows is not None
    assert after.dropped is not None
    assert after.held is not None
    write_parquet(after.held, _in_order(pa.concat_tables(held), job.part), LEDGER)
    write_parquet(after.dropped, _in_order(pa.concat_tables(dropped), job.part), LEDGER)
    write_parquet(after.cut_rows, _in_order(pa.concat_tables(rows), job.part), DOCUMENTS)


def _in_order(table: pa.Table, part: Part) -> pa.Table:
    ids = pq.read_table(part.documents, columns=["id"])["id"].combine_chunks()
    places = pc.index_in(table["id"].combine_chunks(), ids).to_numpy()
    return table.take(pa.array(np.argsort(places, kind="stable")))
