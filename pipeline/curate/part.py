"""One part of pass one, a slice of its rows at a time: what a worker holds does not grow with the part."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.config import Recipe
from pipeline.curate import heap
from pipeline.curate.compilation import ensure_compiled
from pipeline.curate.decontaminate.index import NgramIndex
from pipeline.curate.dedup import row_identity
from pipeline.curate.excerpts import Excerpts
from pipeline.curate.parquet import parquet_part
from pipeline.curate.slices import CuratedSlice, curate_slice
from pipeline.engines import engine_for
from pipeline.ingest import Block, Ingested, read_slices
from pipeline.run import PartRecord, Rows, Stage
from pipeline.schema import DOCUMENTS, KEYS, LEDGER, VERDICTS

__all__ = ["EVALUATION", "PartJob", "curate_part", "total_rules"]

EVALUATION = "documents/_evaluation"
"""Where pass one finds the n-grams of the evaluation sets, while it runs."""


@dataclass(frozen=True, kw_only=True)
class PartJob:
    """A part that is to be made: all that a worker must know."""

    stage: Stage
    recipe: Recipe
    number: int
    blocks: tuple[Block, ...]


def curate_part(job: PartJob) -> PartRecord:
    """Read the blocks of one part, do all row-wise work, write its files and its record."""
    ensure_compiled()  # a worker of a joined scheduler may be the first on its machine
    recipe, engine = job.recipe, engine_for(job.recipe.curates_on)
    engine.left_to_host()  # what earlier jobs of this process left is not counted here
    name = f"part-{job.number:05d}"
    files = {
        f"documents/{name}.parquet": DOCUMENTS,
        f"documents/dropped-{job.number:05d}.parquet": LEDGER,
        f"keys/{name}.parquet": KEYS,
        f"signals/{name}.parquet": VERDICTS,
    }
    evaluation = None
    if recipe.curate.decontaminate.files:
        evaluation = NgramIndex.load(job.stage.run.path(EVALUATION))
        files |= {f"documents/cut-{job.number:05d}.parquet": LEDGER}
    counts, excerpts = _Counts(), Excerpts()
    with heap.kept(), ExitStack() as writing:
        parts = [writing.enter_context(parquet_part(job.stage.run.path(f), schema)) for f, schema in files.items()]
        bounds = {"max_row_bytes": recipe.ingest.max_row_bytes, "slice_bytes": engine.slice_bytes}
        slices = read_slices(job.blocks, **bounds, engine=engine)
        for ingested in slices:
            long = ingested.bytes_in > 2 * engine.slice_bytes  # a row: of it, a worker's memory has little to spare
            with heap.given_back() if long else nullcontext():
                done = curate_slice(ingested, recipe, engine, excerpts.left, evaluation)
                counts.add(ingested, done)
                excerpts.add(done.ledger, done.excerpts)
                del ingested
                tables = (done.kept, done.ledger, done.keys, done.measured, done.cut)
                for part, table in zip(parts, tables, strict=False):
                    part.write(table)
                del done, table, tables  # before the next is read
    return job.stage.commit(
        name,
        {file: part.rows for file, part in zip(files, parts, strict=True)},
        {**counts.to_json(), "excerpts": excerpts.chosen, "left_to_host": engine.left_to_host()},
    )


class _Counts:
    """How many rows of each source are where, and what became of them."""

    def __init__(self) -> None:
        self._rows_in: Counter[str] = Counter()
        self._kept: Counter[str] = Counter()
        self._rejected: Counter[str] = Counter()
        self._redacted: Counter[str] = Counter()
        self._contaminated: Counter[str] = Counter()
        self._cut = 0
        self._identity: row_identity.Sum = (0, 0, 0)
        self._rules: dict[str, dict[str, int]] = {}
        self._bytes_in = 0

    def add(self, ingested: Ingested, done: CuratedSlice) -> None:
        """Count one slice, before and after."""
        rejected = _count(ingested.rejected["source"])
        self._rows_in += _count(ingested.rows["source"]) + rejected
        self._rejected += rejected
        self._kept += _count(done.kept["source"])
        self._contaminated.update(_hits(done.ledger))
        self._contaminated.update(_hits(done.cut))
        self._cut += pc.count_distinct(done.cut["id"]).as_py()
        self._identity = row_identity.total(
            [self._identity, row_identity.of_rows(done.keys["id"], done.keys["digest"])]
        )
        self._redacted.update(done.redacted)  # an entity that was not found is there with 0
        self._rules = total_rules([self._rules, *done.rules])
        self._bytes_in += ingested.bytes_in

    def to_json(self) -> dict[str, Any]:
        """The counts of a part's record."""
        rows = (self._rows_in, self._kept, self._rejected)
        return {
            "rows": _rows(*(count.total() for count in rows)),
            "bytes_in": self._bytes_in,
            "sources": {name: _rows(*(count[name] for count in rows)) for name in sorted(self._rows_in)},
            "rules": self._rules,
            "redacted": dict(self._redacted),
            "contaminated": dict(sorted(self._contaminated.items())),
            "cut": self._cut,
            "identity": list(self._identity),
        }


def total_rules(counts: Iterable[Mapping[str, Mapping[str, int]]]) -> dict[str, dict[str, int]]:
    """Rule → how many rows fail it, and how many fail it alone."""
    total: dict[str, Counter[str]] = {}
    for count in counts:
        for rule, rows in count.items():
            total.setdefault(rule, Counter(failed=0, alone=0)).update(rows)
    return {rule: dict(rows) for rule, rows in sorted(total.items())}


def _rows(in_: int, kept: int, rejected: int) -> dict[str, int]:
    return Rows(in_=in_, kept=kept, dropped=in_ - kept - rejected, rejected=rejected).to_json()


def _hits(ledger: pa.Table) -> Counter[str]:
    """How many rows held something of each evaluation set and half: `<set> <half>` → rows."""
    lines = ledger.filter(pc.equal(ledger["stage"], "decontaminate"))
    sets = pc.replace_substring_regex(lines["evidence"], "/.*", "")
    halves = pc.replace_substring_regex(lines["rule"], ".*_", "")
    return _count(pc.binary_join_element_wise(sets, halves, " "))


def _count(column: pa.ChunkedArray) -> Counter[str]:
    return Counter({pair["values"]: pair["counts"] for pair in pc.value_counts(column).to_pylist()})
