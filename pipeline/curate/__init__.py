"""From raw rows to kept rows, in four stages, or five.

- `documents`: each part is read once; clean, redact, signals, rules, evaluation sets, digest and sketch, fused.
- `duplicates`: only digests and sketches meet across parts; every row gets a survivor and a cluster.
- `contamination`: the run's own test split is held against its other rows.
- `substrings`, where the recipe has it: text that many rows share word for word is reported, or cut.
- `curated`: the decisions are applied to each part, rows drawn into splits, the ledger written.
"""

from __future__ import annotations

import sys

from pipeline.cluster import lazy_client
from pipeline.config import Recipe
from pipeline.curate import curated, documents, duplicates
from pipeline.curate.decontaminate import held_out
from pipeline.curate.substrings import stage as substrings
from pipeline.gpus import choose
from pipeline.run import Manifest, RunDirectory, Stage

__all__ = ["curate", "plan", "plan_as_read"]


def curate(run: RunDirectory, recipe: Recipe) -> Manifest:
    """Run the stages that are not there yet; return the manifest of `curated`.

    Raises:
        InputError: a source is wrong or too many rows are malformed.
        StageError: a part failed.
    """
    surveys = documents.survey_sources(recipe)
    gpus = not recipe.cluster.joined and choose(recipe.curates_on).device == "cuda"
    with lazy_client(recipe.cluster, gpus=gpus) as client:
        documents.run_stage(run, recipe, surveys, client)
        duplicates.run_stage(run, recipe, client)
        held_out.run_stage(run, recipe, client)
        substrings.run_stage(run, recipe, client)
        done = curated.run_stage(run, recipe, client)
    _tell_of_nothing(run, recipe, done)
    return done


def _tell_of_nothing(run: RunDirectory, recipe: Recipe, done: Manifest) -> None:
    """Say so where no row is kept: curation may do that, but hardly anybody wants it."""
    if done.rows is None or done.rows["kept"]:
        return
    gone = {"ingest": done.rows["rejected"], **done.summary["dropped"]}
    went = ", ".join(f"{count:,} at `{stage}`" for stage, count in gone.items() if count) or "there were none"
    said = f"warning: none of the {done.rows['in']:,} rows read is kept: {went}"
    duplicates = Manifest.read(run.path("duplicates"))
    if duplicates is not None and (indexed := duplicates.summary["breaker"]["indexed"]):
        said += f"; {indexed:,} of them are like rows of the index {recipe.curate.dedup.index}"
    print(f"{said}. `curate-and-train inspect {run.shown} --dropped` shows them", file=sys.stderr, flush=True)


def plan(run: RunDirectory, recipe: Recipe) -> list[Stage | None]:
    """The stages; None where an earlier one has not finished."""
    return _stages(run, recipe, documents.stage(run, recipe, documents.survey_sources(recipe)))


def plan_as_read(run: RunDirectory, recipe: Recipe) -> list[Stage | None]:
    """The same with the sources as they were when they were read: they may be gone, and are not looked at."""
    return _stages(run, recipe, documents.stage_as_read(run, recipe))


def _stages(run: RunDirectory, recipe: Recipe, first: Stage) -> list[Stage | None]:
    second = duplicates.stage(run, recipe) if first.manifest() else None
    stages: list[Stage | None] = [first, second]
    later = [held_out.stage, *([substrings.stage] if recipe.curate.dedup.substrings else []), curated.stage]
    for stage in later:
        last = stages[-1]
        stages.append(stage(run, recipe) if last and last.manifest() else None)
    return stages
