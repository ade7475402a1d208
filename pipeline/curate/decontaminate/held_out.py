"""The run's own test split, held against its training and validation rows.

It is known only when every row has its cluster, so this is a stage of its own, behind `duplicates`. Near duplicates are
gone by then; what is looked for is a row that *holds* a test row: the rest of it may be anything.

    hash_part     the n-grams of a part's test rows          a task a part
    (one index)   at most `_NGRAMS` of them                  the leading process
    find_part     which kept rows hold which of them         a task a part
    (common ones) n-grams of many rows say nothing           the leading process
    decide_part   rows that hold enough of a test row        a task a part

In a series, its earlier batches' training rows are looked through likewise (`trained_on`).
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.atomic import atomic_file
from pipeline.cluster import run_parts
from pipeline.config import Recipe
from pipeline.curate.decontaminate import trained_on
from pipeline.curate.decontaminate.hits import write_hits
from pipeline.curate.decontaminate.index import (
    HALVES,
    NgramIndex,
    TextNgrams,
    Texts,
    build_index,
    halves_of,
    ngrams_of,
)
from pipeline.curate.decontaminate.matches import ledger_lines, matches_of
from pipeline.curate.decontaminate.outcome import earlier_name
from pipeline.curate.dedup.work import load, save, work_folder
from pipeline.curate.duplicates import DECISIONS
from pipeline.curate.earlier import earlier_inputs
from pipeline.curate.messages import contents_of, one_array, rows_of
from pipeline.curate.parquet import write_parquet
from pipeline.curate.split import draw_splits
from pipeline.engines import engine_for
from pipeline.progress import Progress
from pipeline.run import Manifest, PartRecord, RunDirectory, Stage
from pipeline.schema import LEDGER, SPLITS

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["run_stage", "stage"]

VERSION = 2

_TEST = SPLITS.index("test")
_NGRAMS = 1 << 24
"""Of a larger test split, one n-gram in two, four, eight … is looked at: those whose hash ends in so many zeros."""


def stage(run: RunDirectory, recipe: Recipe) -> Stage | None:
    """The stage `contamination`, or None while there are no decisions."""
    documents, duplicates = Manifest.read(run.path("documents")), Manifest.read(run.path("duplicates"))
    if documents is None or duplicates is None:
        return None
    rule = recipe.curate.decontaminate
    return Stage(
        run=run,
        name="contamination",
        version=VERSION,
        config={
            "split": recipe.curate.split.model_dump(mode="json", exclude={"max_leakage"}),
            "seed": recipe.seed,
            "ngram": rule.ngram,
            "shortest": rule.shortest,
            "share": rule.test_split.share,
            "common": rule.test_split.common,
        },
        inputs={
            "documents": documents.content_of("documents"),
            "duplicates": duplicates.content,
            **({"earlier": earlier_inputs(recipe)} if recipe.retrain.earlier else {}),
        },
        folders=("contamination",),
    )


def run_stage(run: RunDirectory, recipe: Recipe, client: Callable[[], Client]) -> Manifest:
    """Run the stage unless it is there.

    Returns:
        The manifest; its parts hold the ledger's lines of the rows that hold a test row, whether they are dropped or
        not, and its summary says how many `rows` of each split these are. In a series there are those of the test
        rows that earlier training rows hold, too, which are dropped, and `earlier` says how many.
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
        said: dict[str, Any] = {"sampled": 1, "ngrams": 0, "common_ngrams": 0, "test_rows": 0}
        if jobs:
            on_workers(hash_part, jobs)
            said |= _build(jobs, work)
            on_workers(find_part, jobs)
            earlier = trained_on.earlier_jobs(recipe, work)
            on_workers(trained_on.find_earlier, earlier)
            names_of_all = [*names, *(job.name for job in earlier)]
            said["common_ngrams"] = _common(names_of_all, work, recipe.curate.decontaminate.test_split.common)
            if recipe.retrain.earlier:
                on_workers(trained_on.match_earlier, earlier)
                said["earlier"] = trained_on.choose(earlier, work)
        records = [
            *finished.values(),
            *(run_parts(client(), decide_part, left, stage="contamination", on_done=_tell(progress)) if left else []),
        ]
    shutil.rmtree(work.parent, ignore_errors=True)
    rows: Counter[str] = Counter(dict.fromkeys((name for name in SPLITS if name != "test"), 0))
    for record in records:
        rows.update(record.counts["rows"])
    return this.finish(parts=len(names), summary={"rows": dict(rows), **said})


def _tell(progress: Progress) -> Callable[[PartRecord], None]:
    return lambda record: progress.advance(rows=sum(record.counts["rows"].values()))


@dataclass(frozen=True, kw_only=True)
class _Job:
    """One part.

    Attributes:
        stage: this one.
        recipe: of the run.
        name: of the part, without `.parquet`.
        work: for the files between the steps.
    """

    stage: Stage
    recipe: Recipe
    name: str
    work: Path

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


def hash_part(job: _Job) -> None:
    """Write the n-grams of the test rows of one part, unless they are there."""
    if (job.work / f"ids-{job.name}.parquet").exists():
        return
    engine, rule, splits = engine_for("cpu"), job.recipe.curate.decontaminate, job.splits()
    ids, hashes, texts, rows, halves = [], [np.zeros((0, 2), np.uint64)], [], [], []
    lengths: set[int] = set()
    count = count_rows = 0
    for start, table in job.groups(["id", "messages"]):
        table = table.filter(pa.array(splits[start : start + len(table)] == _TEST)).combine_chunks()
        if not len(table):
            continue
        messages = one_array(table["messages"])
        found = ngrams_of(contents_of(messages), rule.ngram, rule.shortest, engine)
        hashes.append(found.hashes)
        texts.append(found.texts + count)
        rows.append(rows_of(messages) + count_rows)
        halves.append(halves_of(messages.flatten().field("role")))
        lengths.update(found.lengths.tolist())
        ids.append(one_array(table["id"]))
        count += len(rows[-1])
        count_rows += len(table)
    nothing = np.zeros(0, np.int64)
    save(job.work / f"hashes-{job.name}.npy", np.concatenate(hashes))
    save(job.work / f"texts-{job.name}.npy", np.concatenate([nothing, *texts]))
    save(job.work / f"rows-{job.name}.npy", np.concatenate([nothing, *rows]))
    save(job.work / f"halves-{job.name}.npy", np.concatenate([nothing.astype(np.int8), *halves]))
    save(job.work / f"lengths-{job.name}.npy", np.array(sorted(lengths), np.int64))
    with atomic_file(job.work / f"ids-{job.name}.parquet") as beside:
        pq.write_table(pa.table({"id": pa.concat_arrays([pa.array([], pa.string()), *ids])}), beside)


def _build(jobs: Sequence[_Job], work: Path) -> dict[str, Any]:
    """Write the index of all test rows; of too many n-grams a sample that depends on nothing but them."""

    def every(name: str) -> list[np.ndarray]:
        return [load(work / f"{name}-{job.name}.npy") for job in jobs]

    total = sum(len(part) for part in every("hashes"))
    sampled = 1
    while total > _NGRAMS * sampled:
        sampled *= 2
    hashes, texts, rows = [], [], []
    ids = [pq.read_table(work / f"ids-{job.name}.parquet")["id"] for job in jobs]
    first_text = first_row = 0
    for hash_, text, row, own in zip(every("hashes"), every("texts"), every("rows"), ids, strict=True):
        chosen = hash_[:, 1] & np.uint64(sampled - 1) == 0
        hashes.append(hash_[chosen])
        texts.append(text[chosen] + first_text)
        rows.append(row + first_row)
        first_text += len(row)
        first_row += len(own)
    if not (work / "index/ids.parquet").exists():
        ngrams = TextNgrams(
            hashes=np.concatenate(hashes),
            texts=np.concatenate(texts),
            lengths=np.unique(np.concatenate(every("lengths"))),
            words=np.zeros(0, np.int64),
        )
        whose = Texts(
            ids=pa.chunked_array(ids, pa.string()).combine_chunks(),
            rows=np.concatenate(rows),
            halves=np.concatenate(every("halves")),
        )
        build_index(ngrams, whose, max(1, first_row), engine_for("cpu")).save(work / "index")
    grams = len(load(work / "index/bounds.npy")) - 1
    return {"sampled": sampled, "ngrams": grams, "test_rows": first_row}


def find_part(job: _Job) -> None:
    """Write which kept rows of one part hold which n-grams, and how many rows hold each, unless that is there."""
    splits = job.splits()

    def slices() -> Iterator[tuple[NDArray[np.int64], pa.ListArray]]:
        for start, table in job.groups(["messages"]):
            kept = np.flatnonzero(splits[start : start + len(table)] >= 0)
            yield start + kept, one_array(table.take(pa.array(kept))["messages"])

    write_hits(job.work, job.name, job.recipe.curate.decontaminate.test_split.common, slices())


def _common(names: Sequence[str], work: Path, common: int) -> int:
    """Write how many n-grams of each text are not common, and which are; return how many are."""
    index = NgramIndex.load(work / "index")
    held = np.zeros(len(index.bounds) - 1, np.int64)
    for name in names:
        gram, rows = load(work / f"counts-{name}.npy")
        held[gram] += rows  # each stands once in a part
    too_many = held > common
    owner_is_common = np.repeat(too_many, np.diff(index.bounds))
    sizes = np.bincount(index.owners[~owner_is_common], minlength=len(index.sizes))
    save(work / "common.npy", too_many)
    save(work / "sizes.npy", sizes)
    return int(too_many.sum())


def decide_part(job: _Job) -> PartRecord:
    """Write the ledger's lines of the training and validation rows of one part that hold a test row."""
    rule = job.recipe.curate.decontaminate.test_split
    index = replace(NgramIndex.load(job.work / "index"), sizes=load(job.work / "sizes.npy"))
    row, gram = load(job.work / f"hits-{job.name}.npy")
    splits = job.splits()
    here = ~load(job.work / "common.npy")[gram] & (splits[row] != _TEST)
    matches = matches_of(row[here], gram[here], index, rule.share)
    path = job.stage.run.path(f"documents/{job.name}.parquet")
    table = pq.read_table(path, columns=["id", "source"])
    lines = {job.name: ledger_lines(matches, table, index, rule.share, "test")}
    if job.recipe.retrain.earlier:
        lines[earlier_name(job.name)] = trained_on.lines_of(job.work, table, rule)
    files = {f"contamination/{name}.parquet": len(found) for name, found in lines.items()}
    for name, found in lines.items():
        write_parquet(job.stage.run.path(f"contamination/{name}.parquet"), found, LEDGER)
    rows = Counter(SPLITS[split] for split in splits[np.unique(matches.rows)])
    halves = Counter(HALVES[half] for half in matches.halves)
    return job.stage.commit(job.name, files, {"rows": dict(rows), "halves": dict(halves)})
