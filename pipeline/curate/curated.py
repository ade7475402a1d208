"""Pass two: the decisions are applied to each part; rows go into splits or, with the reason, into the ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.cluster import run_parts
from pipeline.config import Recipe
from pipeline.curate.decontaminate.outcome import taken_out, takes_out
from pipeline.curate.duplicates import DECISIONS
from pipeline.curate.earlier import earlier_inputs, take_over
from pipeline.curate.leakage import check_leaks, count_leaks
from pipeline.curate.parquet import write_parquet
from pipeline.curate.split import draw_splits
from pipeline.curate.substrings.apply import apply_cuts, cuts
from pipeline.progress import Progress
from pipeline.run import Manifest, PartRecord, Rows, RunDirectory, Stage
from pipeline.schema import CURATED, LEDGER, SPLITS

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["run_stage", "stage"]

VERSION = 3


def stage(run: RunDirectory, recipe: Recipe) -> Stage | None:
    """The stage `curated`, or None while there are no decisions."""
    documents, duplicates = Manifest.read(run.path("documents")), Manifest.read(run.path("duplicates"))
    contamination = Manifest.read(run.path("contamination"))
    if documents is None or duplicates is None or contamination is None:
        return None
    inputs: dict[str, Any] = {
        "documents": documents.content_of("documents"),
        "keys": documents.content_of("keys"),  # the leakage figure is of them
        "duplicates": duplicates.content,
    }
    if takes_out(recipe):
        inputs["contamination"] = contamination.content
    if cuts(recipe):
        substrings = Manifest.read(run.path("substrings"))
        if substrings is None:
            return None
        inputs["substrings"] = substrings.content
    fuzzy = recipe.curate.dedup.fuzzy
    replay = {}
    if recipe.retrain.earlier:
        inputs["earlier"] = earlier_inputs(recipe)
        replay = {"replay": recipe.retrain.replay}
    return Stage(
        run=run,
        name="curated",
        version=VERSION,
        config={
            # What only stops a run moves no row: raised, the run goes on with the parts that are finished.
            "split": recipe.curate.split.model_dump(mode="json", exclude={"max_leakage"}),
            "seed": recipe.seed,
            "threshold": fuzzy.threshold if fuzzy else None,
            "sketch": fuzzy.sketch if fuzzy else None,
            "ignore_shared": fuzzy.ignore_shared is not None if fuzzy else None,  # whose sketches are counted
            "test_split": recipe.curate.decontaminate.test_split.action,
            **replay,
        },
        inputs=inputs,
        folders=("curated", "ledger"),
    )


def run_stage(run: RunDirectory, recipe: Recipe, client: Callable[[], Client]) -> Manifest:
    """Run the stage unless it is there.

    Raises:
        InputError: more pairs of duplicates lie in different splits than `split.max_leakage` allows.
    """
    this = stage(run, recipe)
    documents = Manifest.read(run.path("documents"))
    assert this is not None
    assert documents is not None
    assert documents.rows is not None
    if done := this.manifest():
        check_leaks(done.summary["leakage"], recipe.curate)
        return done
    finished = this.begin()
    parts = sum(1 for part in documents.parts if part["name"].startswith("documents/part-"))
    jobs = [
        _Job(stage=this, recipe=recipe, number=number)
        for number in range(parts)
        if f"part-{number:05d}" not in finished
    ]
    records = [record for name, record in finished.items() if name.startswith("part-")]

    def on_workers(function: Callable[[Any], Any], jobs: Sequence[Any]) -> list[Any]:
        return run_parts(client(), function, jobs, stage="leakage") if jobs else []

    with Progress("curated", total=parts) as progress:
        progress.advance(len(records))
        if jobs:
            records += run_parts(
                client(),
                decide_part,
                jobs,
                stage="curated",
                on_done=lambda record: progress.advance(
                    rows=sum(record.counts["splits"].values()), dropped=sum(record.counts["dropped"].values())
                ),
            )
    splits: Counter[str] = Counter(dict.fromkeys(SPLITS, 0))
    dropped: Counter[str] = Counter()
    rejected = 0
    for record in records:
        splits.update(record.counts["splits"])
        dropped.update(record.counts["dropped"])
        rejected += record.counts["rejected"]
    rows = Rows(in_=documents.rows["in"], kept=sum(splits.values()), dropped=sum(dropped.values()), rejected=rejected)
    leakage = count_leaks(run, recipe.curate.dedup.fuzzy, on_workers, cut=cuts(recipe))
    check_leaks(leakage, recipe.curate)
    summary: dict[str, Any] = {"splits": dict(splits), "dropped": dict(sorted(dropped.items())), "leakage": leakage}
    taken = take_over(this, recipe, finished)
    if recipe.retrain.earlier:
        summary["earlier"] = {split: sum(record.counts["earlier"][split] for record in taken) for split in SPLITS}
        summary["left_out"] = sum(record.counts["left_out"] for record in taken)
    return this.finish(parts=parts + len(taken), rows=rows, summary=summary)


@dataclass(frozen=True, kw_only=True)
class _Job:
    stage: Stage
    recipe: Recipe
    number: int


def decide_part(job: _Job) -> PartRecord:
    """Apply the decisions to one part, write its splits and its ledger, and record it."""
    recipe, path, name = job.recipe, job.stage.run.path, f"part-{job.number:05d}.parquet"
    rows = pq.read_table(path(f"documents/{name}"))
    decisions = pq.read_table(path(f"duplicates/{name}"), schema=DECISIONS)
    earlier = pq.read_table(path(f"documents/dropped-{job.number:05d}.parquet"), schema=LEDGER)
    gone = pc.is_valid(decisions["stage"])
    found = (pq.read_table(file, schema=LEDGER) for file in taken_out(job.stage.run, recipe, Path(name).stem))
    contaminated = pa.concat_tables([LEDGER.empty_table(), *found])
    keep = pc.invert(pc.or_(gone, pc.is_in(rows["id"], value_set=contaminated["id"].combine_chunks())))
    kept, clusters = rows.filter(keep), decisions["cluster"].filter(keep)
    kept, clusters, cut = apply_cuts(kept, clusters, job.number, job.stage.run, recipe)
    kept = kept.add_column(len(kept.schema) - _signals(), CURATED.field("cluster"), clusters)
    split = draw_splits(clusters.to_numpy(), recipe.curate.split, recipe.seed)
    duplicates = _duplicate_lines(rows.filter(gone), decisions.filter(gone), recipe)
    ledger = pa.concat_tables([earlier, duplicates, contaminated, cut])
    files = {}
    for number, where in enumerate(SPLITS):
        here = kept.filter(pa.array(split == number))
        files[f"curated/{where}/{name}"] = len(here)
        write_parquet(path(f"curated/{where}/{name}"), here, CURATED)
    files[f"ledger/{name}"] = len(ledger)
    write_parquet(path(f"ledger/{name}"), ledger, LEDGER)
    # A row that failed several rules has several lines, all of one stage.
    stages = ledger.group_by(["id", "stage"]).aggregate([])["stage"]
    left = Counter({pair["values"]: pair["counts"] for pair in pc.value_counts(stages).to_pylist()})
    return job.stage.commit(
        f"part-{job.number:05d}",
        files,
        {
            "splits": {where: files[f"curated/{where}/{name}"] for where in SPLITS},
            "dropped": {stage: count for stage, count in sorted(left.items()) if stage != "ingest"},
            "rejected": left["ingest"],
        },
    )


def _signals() -> int:
    """How many columns stand behind `cluster`."""
    return len(CURATED) - int(CURATED.get_field_index("cluster")) - 1


def _duplicate_lines(rows: pa.Table, decisions: pa.Table, recipe: Recipe) -> pa.Table:
    """One ledger line a duplicate: how similar it is to the row kept instead, whose id is the evidence."""
    fuzzy = recipe.curate.dedup.fuzzy
    near = pc.equal(decisions["stage"], "fuzzy").to_numpy(zero_copy_only=False) if len(rows) else np.zeros(0, bool)
    return pa.table(
        {
            "id": rows["id"],
            "source": rows["source"],
            "stage": decisions["stage"],
            "rule": pa.repeat("duplicate", len(rows)),
            "value": decisions["similarity"],
            "threshold": pa.array(np.where(near, fuzzy.threshold if fuzzy else 1.0, 1.0)),
            "evidence": decisions["survivor"],
        },
        schema=LEDGER,
    )
