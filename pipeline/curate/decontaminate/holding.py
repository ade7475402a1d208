"""Which rows hold enough of a test row: the steps, whatever the rows are read from.

hash_part     the n-grams of a part's test rows          a task a part
(one index)   at most `_NGRAMS` of them                  the leading process
find_part     which kept rows hold which of them         a task a part
(common ones) n-grams of many rows say nothing           the leading process
lines_of      rows that hold enough of a test row        a task a part
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.atomic import atomic_file
from pipeline.config import Recipe
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
from pipeline.curate.decontaminate.trained_on import EarlierJob, find_earlier, own_texts
from pipeline.curate.dedup.work import Map, load, save
from pipeline.curate.messages import contents_of, one_array, rows_of
from pipeline.engines import engine_for
from pipeline.schema import LEDGER, SPLITS

__all__ = ["Held", "HoldingRows", "hold", "lines_of"]

_TEST = SPLITS.index("test")
_NGRAMS = 1 << 24
"""Of a larger test split, one n-gram in two, four, eight … is looked at: those whose hash ends in so many zeros."""


@dataclass(frozen=True, kw_only=True)
class Held(ABC):
    """The rows of one part.

    Attributes:
        recipe: of the run.
        name: of the part, without `.parquet`.
        work: for the files between the steps.
    """

    recipe: Recipe
    name: str
    work: Path

    @abstractmethod
    def splits(self) -> NDArray[np.int64]:
        """The split of every row of the part; -1 where the row is not kept."""

    @abstractmethod
    def groups(self, columns: Sequence[str]) -> Iterator[tuple[int, pa.Table]]:
        """The part's rows in slices of bounded size, each with the number of its first."""

    def named(self) -> pa.Table:
        """`id` and `source` of every row of the part."""
        nobody = LEDGER.empty_table().select(["id", "source"])
        return pa.concat_tables([nobody, *(group for _, group in self.groups(nobody.column_names))])


def hold(
    jobs: Sequence[Held],
    recipe: Recipe,
    work: Path,
    run: Map,
    *,
    earlier: Sequence[EarlierJob] = (),
    tests: Sequence[Held] = (),
) -> dict[str, Any]:
    """Look for the test rows of all parts in their rows; then `lines_of` each part says what was found.

    Args:
        jobs: the parts.
        recipe: of the run.
        work: folder of the files between the steps.
        run: runs tasks.
        earlier: training rows of a series' earlier batches, which are looked through too.
        tests: test rows of those batches, which are looked for too.

    Returns:
        What share of the test rows' n-grams was looked at (one in `sampled`), how many there are, how many of them are
        common, and how many test rows, those of `tests` apart.
    """
    said: dict[str, Any] = {"sampled": 1, "ngrams": 0, "common_ngrams": 0, "test_rows": 0}
    if jobs:
        run(hash_part, [*jobs, *tests])
        said |= _build([*jobs, *tests], len(jobs), work)
        run(find_part, jobs)
        if earlier:
            run(find_earlier, earlier)
        names = [*(job.name for job in jobs), *(job.name for job in earlier)]
        said["common_ngrams"] = _common(names, work, recipe.curate.decontaminate.test_split.common)
    return said


def hash_part(job: Held) -> None:
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


def _build(jobs: Sequence[Held], own: int, work: Path) -> dict[str, Any]:
    """Write the index of all test rows; of too many n-grams a sample that depends on nothing but them.

    The first `own` parts are this run's; `own.npy` says how many texts theirs are.
    """

    def every(name: str) -> list[np.ndarray]:
        return [load(work / f"{name}-{job.name}.npy") for job in jobs]

    total = sum(len(part) for part in every("hashes"))
    sampled = 1
    while total > _NGRAMS * sampled:
        sampled *= 2
    hashes, texts, rows = [], [], []
    ids = [pq.read_table(work / f"ids-{job.name}.parquet")["id"] for job in jobs]
    first_text = first_row = 0
    for hash_, text, row, keys in zip(every("hashes"), every("texts"), every("rows"), ids, strict=True):
        chosen = hash_[:, 1] & np.uint64(sampled - 1) == 0
        hashes.append(hash_[chosen])
        texts.append(text[chosen] + first_text)
        rows.append(row + first_row)
        first_text += len(row)
        first_row += len(keys)
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
    save(work / "own.npy", np.array([sum(len(row) for row in every("rows")[:own])]))
    grams = len(load(work / "index/bounds.npy")) - 1
    return {"sampled": sampled, "ngrams": grams, "test_rows": sum(map(len, ids[:own]))}


def find_part(job: Held) -> None:
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


@dataclass(frozen=True, kw_only=True)
class HoldingRows:
    """Training and validation rows of one part that hold a test row.

    Attributes:
        lines: of `schema.LEDGER`, of those that hold one of the run's own.
        rows: how many of each split they are.
        halves: how many hold which half of a test row.
        earlier: of `schema.LEDGER`, of those that hold one of `hold`'s `tests`.
    """

    lines: pa.Table
    rows: dict[str, int]
    halves: dict[str, int]
    earlier: pa.Table


def lines_of(job: Held, named: pa.Table) -> HoldingRows:
    """The training and validation rows of one part that hold a test row.

    Args:
        job: the part.
        named: its rows, as `Held.named` reads them.
    """
    index = replace(NgramIndex.load(job.work / "index"), sizes=load(job.work / "sizes.npy"))
    row, gram = load(job.work / f"hits-{job.name}.npy")
    splits = job.splits()
    here = ~load(job.work / "common.npy")[gram] & (splits[row] != _TEST)
    own = np.arange(len(index.sizes)) < own_texts(job.work)
    share = job.recipe.curate.decontaminate.test_split.share
    matches = matches_of(row[here], gram[here], index, share, own)
    earlier = LEDGER.empty_table()
    if not own.all():
        others = matches_of(row[here], gram[here], index, share, ~own)
        earlier = ledger_lines(others, named, index, share, "earlier_test")
    return HoldingRows(
        lines=ledger_lines(matches, named, index, share, "test"),
        rows=dict(Counter(SPLITS[split] for split in splits[np.unique(matches.rows)])),
        halves=dict(Counter(HALVES[half] for half in matches.halves)),
        earlier=earlier,
    )
