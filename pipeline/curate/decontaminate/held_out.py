"""The run's own test split, held against its training and validation rows.

It is known only when every row has its cluster, so this is a stage of its own, behind `duplicates`. Near duplicates are
gone by then; what is looked for is a row that *holds* a test row: the rest of it may be anything. Rows that are cut
later are held against one another again (`substrings.held`), in the same steps (`holding`). In a series, so are the
rows of its earlier batches (`series`).
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.cluster import run_parts
from pipeline.config import Recipe
from pipeline.curate.decontaminate.holding import Held, lines_of
from pipeline.curate.decontaminate.outcome import earlier_name
from pipeline.curate.decontaminate.series import hold_series, lines_of_series
from pipeline.curate.dedup.work import work_folder
from pipeline.curate.duplicates import DECISIONS
from pipeline.curate.earlier import earlier_inputs
from pipeline.curate.parquet import write_parquet
from pipeline.curate.split import draw_splits
from pipeline.progress import Progress
from pipeline.run import Manifest, PartRecord, RunDirectory, Stage
from pipeline.schema import LEDGER, SPLITS

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["run_stage", "settings", "stage"]

VERSION = 3


def stage(run: RunDirectory, recipe: Recipe) -> Stage | None:
    """The stage `contamination`, or None while there are no decisions."""
    documents, duplicates = Manifest.read(run.path("documents")), Manifest.read(run.path("duplicates"))
    if documents is None or duplicates is None:
        return None
    return Stage(
        run=run,
        name="contamination",
        version=VERSION,
        config=settings(recipe),
        inputs={
            "documents": documents.content_of("documents"),
            "duplicates": duplicates.content,
            **({"earlier": earlier_inputs(recipe)} if recipe.retrain.earlier else {}),
        },
        folders=("contamination",),
    )


def settings(recipe: Recipe) -> dict[str, Any]:
    """What decides which rows are test rows, and which hold one."""
    rule = recipe.curate.decontaminate
    return {
        "split": recipe.curate.split.model_dump(mode="json", exclude={"max_leakage"}),
        "seed": recipe.seed,
        "ngram": rule.ngram,
        "shortest": rule.shortest,
        "share": rule.test_split.share,
        "common": rule.test_split.common,
    }


def run_stage(run: RunDirectory, recipe: Recipe, client: Callable[[], Client]) -> Manifest:
    """Run the stage unless it is there.

    Returns:
        The manifest; its parts hold the ledger's lines of the rows that hold a test row, whether they are dropped or
        not, and its summary says how many `rows` of each split these are. In a series there are also those of test rows
        that earlier training rows hold (`earlier` says how many), and of rows that hold an earlier test row
        (`earlier_test`), which are all dropped.
    """
    this = stage(run, recipe)
    assert this is not None
    if done := this.manifest():
        return done
    finished = this.begin()
    names = sorted(path.stem for path in run.path("duplicates").glob("part-*.parquet"))
    work = work_folder(run.path("contamination/_work"))
    jobs = [_Job(stage=this, recipe=recipe, name=name, work=work) for name in names]

    def on_workers(function: Callable[[Any], Any], jobs: Sequence[Any]) -> list[Any]:
        return run_parts(client(), function, jobs, stage="contamination") if jobs else []

    left = [job for job in jobs if job.name not in finished]
    with Progress("contamination", total=len(names)) as progress:
        progress.advance(len(finished))
        said = hold_series(jobs, recipe, work, on_workers)
        records = [
            *finished.values(),
            *(run_parts(client(), decide_part, left, stage="contamination", on_done=_tell(progress)) if left else []),
        ]
    shutil.rmtree(work.parent, ignore_errors=True)
    rows: Counter[str] = Counter(dict.fromkeys((name for name in SPLITS if name != "test"), 0))
    for record in records:
        rows.update(record.counts["rows"])
    if recipe.retrain.earlier:
        said["earlier_test"] = sum(record.counts["earlier"] for record in records)
    return this.finish(parts=len(names), summary={"rows": dict(rows), **said})


def _tell(progress: Progress) -> Callable[[PartRecord], None]:
    return lambda record: progress.advance(rows=sum(record.counts["rows"].values()))


@dataclass(frozen=True, kw_only=True)
class _Job(Held):
    """A part as `duplicates` left it."""

    stage: Stage

    def splits(self) -> NDArray[np.int64]:
        """The split of every row of the part; -1 where the row is a duplicate."""
        decisions = pq.read_table(self.stage.run.path(f"duplicates/{self.name}.parquet"), schema=DECISIONS)
        splits = draw_splits(decisions["cluster"].to_numpy(), self.recipe.curate.split, self.recipe.seed)
        splits[pc.is_valid(decisions["stage"]).to_numpy()] = -1
        return splits

    def groups(self, columns: Sequence[str]) -> Iterator[tuple[int, pa.Table]]:
        """The part's rows in slices of bounded size, each with the number of its first."""
        with pq.ParquetFile(self.stage.run.path(f"documents/{self.name}.parquet")) as file:
            start = 0
            for group in range(file.num_row_groups):
                table = file.read_row_group(group, columns=list(columns))
                yield start, table
                start += len(table)


def decide_part(job: _Job) -> PartRecord:
    """Write the ledger's lines of the training and validation rows of one part that hold a test row."""
    named = job.named()
    holding = lines_of(job, named)
    lines = {job.name: holding.lines}
    if job.recipe.retrain.earlier:
        lines[earlier_name(job.name)] = lines_of_series(job, named, holding)
    files = {f"contamination/{name}.parquet": len(one) for name, one in lines.items()}
    for name, one in lines.items():
        write_parquet(job.stage.run.path(f"contamination/{name}.parquet"), one, LEDGER)
    earlier = pc.count_distinct(holding.earlier["id"]).as_py()
    return job.stage.commit(job.name, files, {"rows": holding.rows, "halves": holding.halves, "earlier": earlier})
