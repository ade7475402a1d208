"""Between the passes: the keys of all parts meet; every row gets a survivor and a cluster.

The survivor order (`dedup.order`) is total, and nothing depends on parts, workers, or the order of rows. What is in
memory at once: of the rows that share a key with another about 100 bytes each in the process that leads, of all others
one bit; a part, or a share of one table of keys, in each worker.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.atomic import atomic_file
from pipeline.cluster import run_parts
from pipeline.config import Dedup, Fuzzy, Recipe
from pipeline.curate.dedup import breaker
from pipeline.curate.dedup.collisions import Part, digests_of
from pipeline.curate.dedup.decide import Decisions, bands_of, decide
from pipeline.curate.dedup.index import Index
from pipeline.curate.dedup.key_tables import frames_for
from pipeline.curate.dedup.shared import find_shared, sketched
from pipeline.curate.dedup.work import Map, load, work_folder
from pipeline.curate.parquet import read_parquet, write_parquet
from pipeline.progress import Progress
from pipeline.run import Manifest, PartRecord, Rows, RunDirectory, Stage

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["DECISIONS", "SHARED", "keys_of", "run_stage", "stage"]

VERSION = 6

SHARED = "duplicates/shared.npy"
"""With `fuzzy.ignore_shared`: hashes of the text that was left out of the sketches."""

DECISIONS = pa.schema(
    [
        pa.field("survivor", pa.string()),  # the id kept instead, or null where the row is kept
        pa.field("stage", pa.string()),  # exact | fuzzy, or null
        pa.field("similarity", pa.float64()),
        pa.field("cluster", pa.uint64(), nullable=False),
    ]
)
"""Row i is row i of the documents part of the same number."""


def stage(run: RunDirectory, recipe: Recipe) -> Stage | None:
    """The stage `duplicates`, or None while there are no keys."""
    keys = Manifest.read(run.path("documents"))
    if keys is None:
        return None
    dedup = recipe.curate.dedup
    inputs: dict[str, Any] = {"keys": keys.content_of("keys")}
    if index := _index(run, recipe):
        inputs["index"] = [batch["name"] for batch in index.batches]
    fuzzy = dedup.fuzzy
    reads_text = fuzzy is not None and (fuzzy.ignore_shared is not None or fuzzy.verify == "exact")
    if reads_text or any(not isinstance(by, str) for by in dedup.order):  # the signals are there
        inputs["documents"] = keys.content_of("documents")
    return Stage(
        run=run,
        name="duplicates",
        version=VERSION,
        config=breaker.decisive(dedup),
        inputs=inputs,
        folders=("duplicates",),
    )


def run_stage(run: RunDirectory, recipe: Recipe, client: Callable[[], Client]) -> Manifest:
    """Run the stage unless it is there.

    Raises:
        InputError: near duplicates would remove more than `dedup.fuzzy` allows, the rows are in the index already, two
            rows have one id, or the index was made with other parameters.
    """
    this = stage(run, recipe)
    assert this is not None
    dedup, index = recipe.curate.dedup, _index(run, recipe)

    def on_workers(function: Callable[[Any], Any], jobs: Any, on_done: Any = lambda _: None) -> list[Any]:
        return run_parts(client(), function, jobs, stage="duplicates", on_done=on_done) if jobs else []

    work = work_folder(run.path("duplicates/_work"))

    def append(keys: _Keys) -> None:
        if index:
            decisions = [run.path("duplicates") / part.path.name for part in keys.parts]
            index.append([part.path for part in keys.parts], decisions, on_workers, shared=keys.shared)

    if done := this.manifest():
        breaker.check(done.summary["breaker"], dedup)
        if index and index.own is None:  # restored from a copy
            append(_keys(run, dedup, index, work, on_workers))
            shutil.rmtree(work.parent, ignore_errors=True)
        return done
    finished = this.begin()
    keys = _keys(run, dedup, index, work, on_workers)
    count = sum(part.rows for part in keys.parts)
    with Progress("duplicates", total=len(keys.parts)) as progress:
        frames = frames_for(recipe, client)
        decisions = decide([*keys.earlier, *keys.parts], dedup, work, on_workers, shared=keys.shared, frames=frames)
        load = breaker.load_of(decisions, count)
        breaker.check(load, dedup)
        every = _jobs(this, keys, decisions)
        jobs = [job for number, job in enumerate(every) if f"part-{number:05d}" not in finished]
        progress.advance(len(every) - len(jobs))
        on_workers(write_part, jobs, lambda record: progress.advance(rows=record.files[0].rows))
    append(keys)
    summary = {**_summary(decisions, recipe, count), "shared": keys.summary, "breaker": load}
    if work.parent.is_dir():  # not where no source has rows: there was no part to compare
        shutil.rmtree(work.parent)
    return this.finish(parts=len(keys.parts), rows=_rows(decisions, count), summary=summary)


def _index(run: RunDirectory, recipe: Recipe) -> Index | None:
    dedup, keys = recipe.curate.dedup, Manifest.read(run.path("documents"))
    assert keys is not None
    return Index.open(dedup.index, dedup, keys.summary["identity"]) if dedup.index else None


@dataclass(frozen=True, kw_only=True)
class _Keys:
    """What is deduplicated.

    Attributes:
        earlier: parts of the index.
        parts: of the run.
        shared: the text that was left out of the sketches, where some was.
        summary: how much that is.
    """

    earlier: list[Part]
    parts: list[Part]
    shared: Path | None = None
    summary: dict[str, int] | None = None


def _keys(run: RunDirectory, dedup: Dedup, index: Index | None, work: Path, on_workers: Map) -> _Keys:
    """The keys of all rows, with sketches."""
    earlier = index.parts() if index else []
    first = sum(part.rows for part in earlier)
    parts: list[Part] = []
    for path in sorted(run.path("keys").glob("part-*.parquet")):
        start = parts[-1].start + parts[-1].rows if parts else first
        documents = run.path("documents") / path.name
        parts.append(Part(path=path, start=start, rows=pq.read_metadata(path).num_rows, documents=documents))
    fuzzy = dedup.fuzzy
    if fuzzy is None or fuzzy.ignore_shared is None:
        return _Keys(earlier=earlier, parts=parts)
    shared = index.shared if index else None
    if shared is None:
        shared = find_shared(parts, fuzzy.ignore_shared, dedup.on, work / "shared", on_workers)
    parts, (whole, left) = sketched(parts, shared, fuzzy, dedup.on, work / "sketched", on_workers)
    summary = {"windows": len(load(shared)), "bytes": whole, "left_out": whole - left}
    return _Keys(earlier=earlier, parts=parts, shared=shared, summary=summary)


def _rows(decisions: Decisions, count: int) -> Rows:
    dropped = int(decisions.removed.sum())
    return Rows(in_=count, kept=count - dropped, dropped=dropped)


def _summary(decisions: Decisions, recipe: Recipe, count: int) -> dict[str, Any]:
    fuzzy = recipe.curate.dedup.fuzzy
    sizes = np.bincount(decisions.root[decisions.own], minlength=1)
    exact = int(decisions.exact.sum())
    return {
        "exact": exact,
        "fuzzy": int(decisions.removed.sum()) - exact,
        "clusters": int((sizes > 1).sum()),
        "largest_cluster": max(int(sizes.max()), min(count, 1)),
        "bands": list(bands_of(fuzzy)) if fuzzy else None,
    }


@dataclass(frozen=True, kw_only=True)
class _Job:
    """One part: what is decided of its candidates.

    Attributes:
        rows: int64 [candidates], which rows of the part they are.
        survivors: string [candidates], the id kept instead, or null.
        exact: bool [candidates].
        similarity: float64 [candidates].
        clusters: uint64 [candidates].
        keeps_keys: whether the part's keys are made here, so that they are kept with the decisions.
        shared: the text that was left out of them, which the first part's files hold.
    """

    stage: Stage
    part: Part
    number: int
    rows: NDArray[np.int64]
    survivors: pa.Array
    exact: NDArray[np.bool_]
    similarity: NDArray[np.float64]
    clusters: NDArray[np.uint64]
    keeps_keys: bool
    shared: Path | None


def _jobs(this: Stage, keys: _Keys, decisions: Decisions) -> list[_Job]:
    found, parts = decisions.candidates, keys.parts
    bounds = [*np.searchsorted(found.rows, [part.start for part in parts]).tolist(), len(found.rows)]
    jobs = []
    for number, (part, start, end) in enumerate(zip(parts, bounds, bounds[1:], strict=False)):
        here = slice(start, end)
        kept = pa.array(decisions.survivor[here], mask=~decisions.removed[here])
        jobs.append(
            _Job(
                stage=this,
                part=part,
                number=number,
                rows=found.rows[here] - part.start,
                survivors=found.ids.take(kept),
                exact=decisions.exact[here],
                similarity=decisions.similarity[here],
                clusters=found.cluster[decisions.root[here]],
                keeps_keys=keys.shared is not None,
                shared=keys.shared if number == 0 else None,
            )
        )
    return jobs


def write_part(job: _Job) -> PartRecord:
    """Write one part's decisions, and record it.

    A cluster's number is the first half of the digest of its best row: of content, not of place, so a row keeps it,
    and with it its split, when files are renamed or lines inserted.
    """
    digests = digests_of(read_parquet(job.part.path, ["digest"])["digest"])
    clusters = digests[:, 0].copy()
    clusters[job.rows] = job.clusters
    candidate = np.full(len(clusters), -1, dtype=np.int64)
    candidate[job.rows] = np.arange(len(job.rows))
    at = pa.array(np.maximum(candidate, 0), mask=candidate < 0)
    survivors = job.survivors.take(at)
    kept = survivors.is_null().to_numpy(zero_copy_only=False)
    name = f"duplicates/part-{job.number:05d}.parquet"
    table = pa.table(
        {
            "survivor": survivors,
            "stage": pa.array(np.where(_spread(job.exact, at), "exact", "fuzzy"), pa.string(), mask=kept),
            "similarity": pa.array(_spread(job.similarity, at), mask=kept),
            "cluster": clusters,
        },
        schema=DECISIONS,
    )
    write_parquet(job.stage.run.path(name), table, DECISIONS)
    files = {name: len(table)}
    if job.keeps_keys:
        keys = f"duplicates/keys-{job.number:05d}.parquet"
        _copy(job.part.path, job.stage.run.path(keys))
        files[keys] = len(table)
    if job.shared:
        _copy(job.shared, job.stage.run.path(SHARED))
        files[SHARED] = 0
    return job.stage.commit(f"part-{job.number:05d}", files, {})


def keys_of(run: RunDirectory, fuzzy: Fuzzy | None) -> list[Path]:
    """The files of keys, with the sketches that were compared: those of pass one, or without the shared text."""
    if fuzzy is not None and fuzzy.ignore_shared is not None:
        return sorted(run.path("duplicates").glob("keys-*.parquet"))
    return sorted(run.path("keys").glob("part-*.parquet"))


def _copy(source: Path, target: Path) -> None:
    with atomic_file(target) as beside:
        shutil.copyfile(source, beside)


def _spread(values: NDArray[Any], at: pa.Array) -> NDArray[Any]:
    """The candidates' values at the rows of the part; anything elsewhere."""
    places = at.fill_null(0).to_numpy()
    return values[places] if len(values) else np.zeros(len(places), dtype=values.dtype)
