"""The stage `substrings`: text that many kept rows share word for word is found, reported, and cut if asked for."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.atomic import atomic_file
from pipeline.cluster import run_parts
from pipeline.config import Recipe
from pipeline.curate.decontaminate.evaluation import evaluation_index, survey_evaluation
from pipeline.curate.decontaminate.held_out import settings as test_split
from pipeline.curate.decontaminate.outcome import drops, taken_out, takes_out
from pipeline.curate.dedup import breaker
from pipeline.curate.dedup.work import Map, work_folder
from pipeline.curate.duplicates import SHARED
from pipeline.curate.duplicates import keys_of as compared_keys
from pipeline.curate.earlier import earlier_inputs
from pipeline.curate.parquet import write_parquet
from pipeline.curate.substrings.alike import Alike, find_alike
from pipeline.curate.substrings.apply import cut_keys, cuts
from pipeline.curate.substrings.cut import cut
from pipeline.curate.substrings.held import hold_again
from pipeline.curate.substrings.passages import PassageJob, passage_jobs, shown, write_passages
from pipeline.curate.substrings.search import search
from pipeline.curate.substrings.texts import Part
from pipeline.engines import engine_for
from pipeline.errors import StageError
from pipeline.progress import Progress
from pipeline.run import Manifest, PartRecord, Rows, RunDirectory, Stage
from pipeline.schema import DOCUMENTS, LEDGER

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["run_stage", "stage"]

VERSION = 4

_ROUNDS = 50
"""A cut joins texts, which may be shared in turn; the second round finds nothing as a rule."""


def stage(run: RunDirectory, recipe: Recipe) -> Stage | None:
    """The stage `substrings`, or None while there are no decisions about duplicates and the test split.

    Asked for only where the recipe has `curate.dedup.substrings`.
    """
    substrings = recipe.curate.dedup.substrings
    assert substrings is not None
    documents, duplicates = Manifest.read(run.path("documents")), Manifest.read(run.path("duplicates"))
    contamination = Manifest.read(run.path("contamination"))
    if documents is None or duplicates is None or contamination is None:
        return None
    inputs: dict[str, Any] = {"documents": documents.content_of("documents"), "duplicates": duplicates.content}
    if takes_out(recipe):
        inputs["contamination"] = contamination.content
    if cuts(recipe):  # rows that were cut go through pass one's steps again
        inputs["pass one"] = documents.fingerprint
        inputs["keys"] = documents.content_of("keys")  # and are compared again
        if recipe.retrain.earlier:
            inputs["earlier"] = earlier_inputs(recipe)  # with earlier batches' rows too
    return Stage(
        run=run,
        name="substrings",
        version=VERSION,
        config={
            **substrings.model_dump(mode="json"),
            "dedup": breaker.decisive(recipe.curate.dedup) if cuts(recipe) else None,
            "test_split": test_split(recipe) if cuts(recipe) else None,
        },
        inputs=inputs,
        folders=("substrings",),
    )


def run_stage(run: RunDirectory, recipe: Recipe, client: Callable[[], Client]) -> Manifest | None:
    """Run the stage unless it is there, or the recipe does without.

    Raises:
        InputError: rows that a cut made alike are more than `dedup.fuzzy` allows.
        StageError: cutting does not come to rest.
    """
    substrings = recipe.curate.dedup.substrings
    if substrings is None:
        return None
    this = stage(run, recipe)
    assert this is not None
    if done := this.manifest():
        if load := done.summary["breaker"]:
            breaker.check(load, recipe.curate.dedup)
        return done
    finished = this.begin()

    def on_workers(function: Callable[[Any], Any], jobs: Any, on_done: Any = lambda _: None) -> list[Any]:
        return run_parts(client(), function, jobs, stage="substrings", on_done=on_done) if jobs else []

    work = work_folder(run.path("substrings/_work"))
    parts = _parts(run, recipe)
    with Progress("substrings", total=len(parts)) as progress:
        spans = search(parts, substrings.length, substrings.documents, work, 0, on_workers)
        passages, different = passage_jobs(parts, spans, work, on_workers)
        done_with, rounds, total = parts, 0, Counter[str]()
        evaluation = _evaluation(recipe, work / "evaluation") if cuts(recipe) else None
        while cuts(recipe):
            done_with, counts = cut(done_with, spans, recipe, work / "cuts", rounds, on_workers, evaluation)
            total += counts
            total["spared"] = counts["spared"]  # who is spared in one round is spared in the next
            rounds += 1
            if not counts["rows"]:
                break
            if rounds == _ROUNDS:
                raise StageError(
                    f"after {rounds} rounds of cutting, texts that were joined are still shared by many rows",
                    where="curate.dedup.substrings",
                    mend="raise `length` or `documents`, or set `action: report`",
                )
            spans = search(done_with, substrings.length, substrings.documents, work, rounds, on_workers)
        alike = _alike(run, recipe, done_with, work / "alike", on_workers) if total["rows"] else None
        nobody = [LEDGER.empty_table()] * len(parts)
        held = hold_again(done_with, alike.dropped, recipe, work / "held", on_workers) if alike else None
        jobs = [
            _Job(
                stage=this,
                recipe=recipe,
                passages=passage,
                after=after,
                keys=alike.keys[number] if alike else None,
                alike=(alike.dropped if alike else nobody)[number],
                held=(held.lines if held and drops(recipe) else nobody)[number],
                earlier=(held.earlier if held else nobody)[number],
            )
            for number, (passage, after) in enumerate(zip(passages, done_with, strict=True))
            if f"part-{after.number:05d}" not in finished
        ]
        progress.advance(len(finished))
        records = [*finished.values(), *on_workers(write_part, jobs, lambda _: progress.advance())]
    shutil.rmtree(work.parent)
    records.sort(key=lambda record: record.part)
    counted = [record.counts for record in records]
    rows = sum(count["kept"] + count["dropped"] for count in counted)
    dropped = sum(count["dropped"] for count in counted)
    return this.finish(
        parts=len(parts),
        rows=Rows(in_=rows, kept=rows - dropped, dropped=dropped),
        summary={
            "passages": different,
            **{name: sum(count[name] for count in counted) for name in ("rows", "bytes", "text_bytes")},
            "shown": shown(count["shown"] for count in counted),
            "cut": _cut_summary(counted, total, rounds) if cuts(recipe) else None,
            "test_split": held.rows if held else None,
            "breaker": alike.load if alike else None,
        },
    )


def _evaluation(recipe: Recipe, folder: Path) -> Path | None:
    """Where tasks find the n-grams of the evaluation sets, if there are any."""
    if not recipe.curate.decontaminate.files:
        return None
    index, _ = evaluation_index(recipe, survey_evaluation(recipe), engine_for("cpu"))
    index.save(folder)
    return folder


def _alike(run: RunDirectory, recipe: Recipe, parts: list[Part], folder: Path, on_workers: Map) -> Alike:
    dedup, shared = recipe.curate.dedup, run.path(SHARED)
    old = compared_keys(run, dedup.fuzzy)
    ignored = dedup.fuzzy is not None and dedup.fuzzy.ignore_shared is not None
    return find_alike(parts, old, shared if ignored else None, recipe, folder, on_workers)


def _parts(run: RunDirectory, recipe: Recipe) -> list[Part]:
    parts: list[Part] = []
    start = 0
    for number, path in enumerate(sorted(run.path("duplicates").glob("part-*.parquet"))):
        documents = run.path(f"documents/{path.name}")
        contaminated = taken_out(run, recipe, path.stem)
        parts.append(Part(number=number, documents=documents, duplicates=path, contaminated=contaminated, start=start))
        start += pq.read_metadata(path).num_rows
    return parts


def _cut_summary(counted: list[dict[str, Any]], total: Counter[str], rounds: int) -> dict[str, int]:
    """How many rows were cut and kept, how many dropped, and how many of these were like another after cuts.

    And bytes cut, messages spared, and rounds, the last without a cut.
    """
    kept, dropped, alike = (sum(count[name] for count in counted) for name in ("cut", "dropped", "alike"))
    of_all = {name: total[name] for name in ("bytes", "spared")}
    return {"rows": kept, "dropped": dropped, "alike": alike, **of_all, "rounds": rounds}


@dataclass(frozen=True, kw_only=True)
class _Job:
    stage: Stage
    recipe: Recipe
    passages: PassageJob
    after: Part
    keys: Path | None
    alike: pa.Table
    held: pa.Table
    earlier: pa.Table


def write_part(job: _Job) -> PartRecord:
    """Write one part's passages, its rows that were cut, and the lines of those that were dropped; record it."""
    path, after, name = job.stage.run.path, job.after, f"{job.after.number:05d}.parquet"
    counts = write_passages(job.passages, path(f"substrings/part-{name}"))
    files = {f"substrings/part-{name}": counts.pop("lines")}
    dropped, gone = 0, pa.concat_tables([job.alike, job.held, job.earlier])
    if cuts(job.recipe):
        rows, lines, held = DOCUMENTS.empty_table(), LEDGER.empty_table(), LEDGER.empty_table()
        if after.cuts is not None:
            rows = pq.read_table(after.cut_rows, schema=DOCUMENTS)
            rows = rows.filter(pc.invert(pc.is_in(rows["id"], gone["id"].combine_chunks())))
            lines = pq.read_table(after.dropped, schema=LEDGER)
            held = pq.read_table(after.held, schema=LEDGER)
        lines = pa.concat_tables([lines, gone])
        dropped = len(lines["id"].unique())  # a row that fails several rules has several lines
        tables = ((f"rows-{name}", rows, DOCUMENTS), (f"dropped-{name}", lines, LEDGER), (f"cut-{name}", held, LEDGER))
        for file, table, schema in tables:
            files[f"substrings/{file}"] = len(table)
            write_parquet(path(f"substrings/{file}"), table, schema)
        counts |= {"cut": len(rows), "alike": len(job.alike)}
        if job.keys is not None:
            keys = cut_keys(after.number)
            with atomic_file(path(keys)) as beside:
                shutil.copyfile(job.keys, beside)
            files[keys] = int(pq.read_metadata(job.keys).num_rows)
    counts["kept"] -= dropped
    return job.stage.commit(f"part-{after.number:05d}", files, {**counts, "dropped": dropped})
