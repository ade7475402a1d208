"""Rows that a cut made alike: what is left of all rows is deduplicated again, as the stage `duplicates` did it.

    keys of what is left → `decide` → ledger lines of the rows that go, each with the row kept instead

A cut may leave two rows with one text, or nearly so, that were different before, and in two splits. Keys of rows that
were not cut are taken over; those of rows that were cut are made anew, and the leakage figure is counted from them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.atomic import atomic_file
from pipeline.config import Recipe
from pipeline.curate.compilation import ensure_compiled
from pipeline.curate.dedup import breaker
from pipeline.curate.dedup.collisions import Part as Keys
from pipeline.curate.dedup.decide import Decisions, decide
from pipeline.curate.dedup.shared import sketched
from pipeline.curate.dedup.work import Map, here
from pipeline.curate.keys import keys_of
from pipeline.curate.parquet import write_parquet
from pipeline.curate.substrings.texts import Part, current, replaced
from pipeline.engines import engine_for
from pipeline.schema import DOCUMENTS, KEYS, LEDGER

__all__ = ["Alike", "find_alike"]


@dataclass(frozen=True, kw_only=True)
class Alike:
    """What becomes of the rows that a cut made alike.

    Attributes:
        keys: a file of `schema.KEYS` a part, of the rows that were left before these went.
        dropped: `schema.LEDGER` a part, a line for each of those that go.
        load: what the breaker looks at (`breaker.load_of`).
    """

    keys: list[Path]
    dropped: list[pa.Table]
    load: dict[str, Any]


def find_alike(
    parts: Sequence[Part],
    old: Sequence[Path],
    shared: Path | None,
    recipe: Recipe,
    folder: Path,
    run: Map,
) -> Alike:
    """Deduplicate what is left after the last round.

    Args:
        parts: as they stand.
        old: their keys as `duplicates` compared them.
        shared: the text that was left out of the sketches, where some was.
        recipe: of the run.
        folder: for the files between the steps.
        run: runs tasks.

    Raises:
        InputError: more of them are near duplicates than the recipe allows.
    """
    dedup = recipe.curate.dedup
    jobs = [
        _Job(part=part, old=path, shared=shared, recipe=recipe, path=folder / f"part-{part.number:05d}.parquet")
        for part, path in zip(parts, old, strict=True)
    ]
    counts: list[int] = run(write_keys, jobs)
    keys: list[Keys] = []
    for job, rows in zip(jobs, counts, strict=True):
        start = keys[-1].start + keys[-1].rows if keys else 0
        keys.append(Keys(path=job.path, start=start, rows=rows, documents=job.documents))
    decisions = decide(keys, dedup, folder / "decided", run, shared=shared)
    load = breaker.load_of(decisions, sum(counts))
    breaker.check(load, dedup)
    return Alike(keys=[job.path for job in jobs], dropped=_lines(keys, decisions, recipe), load=load)


@dataclass(frozen=True, kw_only=True)
class _Job:
    part: Part
    old: Path
    shared: Path | None
    recipe: Recipe
    path: Path

    @property
    def documents(self) -> Path:
        """What of the rows deduplication may ask for besides keys."""
        return self.path.with_name(f"documents-{self.part.number:05d}.parquet")


def write_keys(job: _Job) -> int:
    """Write the keys of one part's rows as they stand; return how many there are."""
    if not job.path.exists():
        dedup = job.recipe.curate.dedup
        names = [by.signal for by in dedup.order if not isinstance(by, str)]
        if dedup.fuzzy is not None and dedup.fuzzy.verify == "exact":
            names += ["messages", "tools"]
        table, rows = current(job.part, ["id", *names])
        if names:
            with atomic_file(job.documents) as beside:
                pq.write_table(table, beside, compression="zstd")
        # Those that a cut emptied are not among `rows`; of the others, keys are of the text before.
        keys = pq.read_table(job.old, schema=KEYS).take(pa.array(rows))
        if job.part.cut_rows is not None:
            keys, _ = replaced(keys, _anew(job), pa.chunked_array([], pa.string()))
        write_parquet(job.path, keys, KEYS)
    return int(pq.read_metadata(job.path).num_rows)


def _anew(job: _Job) -> pa.Table:
    """The keys of the rows that were cut: `schema.KEYS`."""
    assert job.part.cut_rows is not None
    ensure_compiled()
    keys = keys_of(pq.read_table(job.part.cut_rows, schema=DOCUMENTS), job.recipe, engine_for("cpu"))
    fuzzy = job.recipe.curate.dedup.fuzzy
    if fuzzy is None or job.shared is None or not len(keys):
        return keys
    path = job.path.with_name(f"plain-{job.part.number:05d}.parquet")
    write_parquet(path, keys, KEYS)
    plain = Keys(path=path, start=0, rows=len(keys), documents=job.part.cut_rows)
    (done,), _ = sketched([plain], job.shared, fuzzy, job.recipe.curate.dedup.on, path.with_suffix(""), here)
    return pq.read_table(done.path, schema=KEYS)


def _lines(keys: Sequence[Keys], decisions: Decisions, recipe: Recipe) -> list[pa.Table]:
    """The ledger's lines of the rows that go, of each part."""
    found, fuzzy = decisions.candidates, recipe.curate.dedup.fuzzy
    bounds = [*np.searchsorted(found.rows, [part.start for part in keys]).tolist(), len(found.rows)]
    gone = np.flatnonzero(decisions.removed)
    tables = []
    for start, end in pairwise(bounds):
        here = gone[(gone >= start) & (gone < end)]
        ids, exact = found.ids.take(pa.array(here)), decisions.exact[here]
        near = fuzzy.threshold if fuzzy else 1.0
        tables.append(
            pa.table(
                {
                    "id": ids,
                    "source": [name.partition("/")[0] for name in ids.to_pylist()],
                    "stage": pa.array(np.where(exact, "exact", "fuzzy"), pa.string()),
                    "rule": pa.repeat("duplicate", len(here)),
                    "value": decisions.similarity[here],
                    "threshold": np.where(exact, 1.0, near),
                    "evidence": found.ids.take(pa.array(decisions.survivor[here])),
                },
                schema=LEDGER,
            )
        )
    return tables
