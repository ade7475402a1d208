"""New test rows held against what was trained on: the training rows of a series' earlier batches.

A champion was trained on those. A new test row that one of them holds in a longer text would be known to it, so it is
taken out of the test, and the ledger says whose text it is in.

    find_earlier   which n-grams of new test rows stand in which earlier training rows   a task an earlier part
    match_earlier  which test rows they hold enough of                                   a task an earlier part
    (the best)     one earlier row for each test row's prompt, answer or text            the leading process
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.atomic import atomic_file
from pipeline.config import Recipe
from pipeline.config.decontaminate import HeldOut
from pipeline.curate.decontaminate.hits import write_hits
from pipeline.curate.decontaminate.index import HALVES, NgramIndex
from pipeline.curate.decontaminate.matches import held_texts
from pipeline.curate.dedup.work import load
from pipeline.curate.earlier import earlier_parts
from pipeline.curate.messages import one_array
from pipeline.schema import LEDGER

__all__ = ["EarlierJob", "choose", "earlier_jobs", "find_earlier", "lines_of", "match_earlier", "own_texts"]

_FOUND = pa.schema([("id", pa.string()), ("half", pa.int8()), ("share", pa.float64()), ("evidence", pa.string())])
"""A half of a test row, the share of it that an earlier training row holds, and that row's id."""


@dataclass(frozen=True, kw_only=True)
class EarlierJob:
    """Training rows of one part of an earlier batch.

    Attributes:
        path: of the rows.
        name: of the files between the steps.
        work: their folder.
        rule: of the recipe.
    """

    path: Path
    name: str
    work: Path
    rule: HeldOut


def earlier_jobs(recipe: Recipe, work: Path) -> list[EarlierJob]:
    """A job for each part that an earlier batch added.

    Raises:
        InputError: a batch has no finished curation, or a part of it is gone.
    """
    rule = recipe.curate.decontaminate.test_split
    parts = earlier_parts(recipe, "train")
    return [EarlierJob(path=part.path, name=part.name, work=work, rule=rule) for part in parts]


def find_earlier(job: EarlierJob) -> None:
    """Write which rows hold which n-grams of the new test rows, unless that is there."""
    write_hits(job.work, job.name, job.rule.common, _slices(job.path))


def own_texts(work: Path) -> int:
    """How many texts of the index are of this run's test rows; those of earlier batches' stand behind them."""
    return int(load(work / "own.npy")[0])


def match_earlier(job: EarlierJob) -> None:
    """Write of which new test rows these hold enough, unless that is there; n-grams of many rows do not count."""
    target = job.work / f"found-{job.name}.parquet"
    if target.exists():
        return
    index = replace(NgramIndex.load(job.work / "index"), sizes=load(job.work / "sizes.npy"))
    row, gram = load(job.work / f"hits-{job.name}.npy")
    here = ~load(job.work / "common.npy")[gram]
    rows, texts, shares = held_texts(row[here], gram[here], index, job.rule.share)
    new = texts < own_texts(job.work)
    rows, texts, shares = rows[new], texts[new], shares[new]
    ids = pq.read_table(job.path, columns=["id"])["id"].combine_chunks()
    found = pa.table(
        {
            "id": index.texts.ids.take(pa.array(index.texts.rows[texts])),
            "half": pa.array(index.texts.halves[texts]),
            "share": pa.array(shares),
            "evidence": ids.take(pa.array(rows)),
        },
        schema=_FOUND,
    )
    _write(target, _best(found))


def choose(jobs: Sequence[EarlierJob], work: Path) -> int:
    """Write `earlier.parquet`: of each half of a test row the earlier row that holds most of it.

    Returns:
        How many test rows there are in it.
    """
    tables = [pq.read_table(work / f"found-{job.name}.parquet", schema=_FOUND) for job in jobs]
    best = _best(pa.concat_tables([_FOUND.empty_table(), *tables]))
    _write(work / "earlier.parquet", best)
    return pc.count_distinct(best["id"]).as_py() or 0


def lines_of(work: Path, rows: pa.Table, rule: HeldOut) -> pa.Table:
    """The ledger's lines of those of some rows that are taken out of the test.

    Args:
        work: where `choose` wrote.
        rows: with `id` and `source`.
        rule: of the recipe.
    """
    found = pq.read_table(work / "earlier.parquet", schema=_FOUND)
    at = pc.index_in(found["id"], value_set=rows["id"].combine_chunks())
    found = found.append_column("at", at).filter(pc.is_valid(at)).sort_by([("at", "ascending"), ("half", "ascending")])
    names = pa.array([f"earlier_{half}" for half in HALVES])
    return pa.table(
        {
            "id": found["id"],
            "source": rows["source"].take(found["at"]),
            "stage": pa.repeat("decontaminate", len(found)),
            "rule": names.take(found["half"].combine_chunks()),
            "value": found["share"],
            "threshold": pa.repeat(pa.scalar(rule.share, pa.float64()), len(found)),
            "evidence": found["evidence"],
        },
        schema=LEDGER,
    )


def _slices(path: Path) -> Iterator[tuple[NDArray[np.int64], pa.ListArray]]:
    with pq.ParquetFile(path) as file:
        start = 0
        for group in range(file.num_row_groups):
            messages = one_array(file.read_row_group(group, columns=["messages"])["messages"])
            yield np.arange(start, start + len(messages)), messages
            start += len(messages)


def _best(found: pa.Table) -> pa.Table:
    """Of each half the line with the largest share; of equal ones the smallest id, so that no order matters."""
    order = [("id", "ascending"), ("half", "ascending"), ("share", "descending"), ("evidence", "ascending")]
    found = found.sort_by(order)
    ids, halves = (found[name].to_numpy(zero_copy_only=False) for name in ("id", "half"))
    first = np.ones(len(found), np.bool_)
    first[1:] = (ids[1:] != ids[:-1]) | (halves[1:] != halves[:-1])
    return found.filter(pa.array(first))


def _write(path: Path, table: pa.Table) -> None:
    with atomic_file(path) as beside:
        pq.write_table(table, beside, compression="zstd")
