"""Once rows were cut, the run's own test split is held against the other rows again, and a series' batches likewise.

A test row that is cut is shorter, and another row may hold half of what is left of it where it held little of the
whole; and a cut joins words that stood apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.config import Recipe
from pipeline.curate.decontaminate.holding import Held, lines_of
from pipeline.curate.decontaminate.series import hold_series, lines_of_series
from pipeline.curate.dedup.work import Map
from pipeline.curate.duplicates import DECISIONS
from pipeline.curate.split import draw_splits
from pipeline.curate.substrings.texts import Part, current

__all__ = ["HeldAgain", "hold_again"]

_ROWS = 4096
"""Rows that are searched at once."""


@dataclass(frozen=True, kw_only=True)
class _Job(Held):
    """A part as it stands after the last round.

    Attributes:
        part: of the run.
        alike: string [rows], ids of the rows that a cut made alike to others, and that go.
    """

    part: Part
    alike: pa.Array

    def splits(self) -> NDArray[np.int64]:
        """The split of every row that is left; -1 where the row is a duplicate now."""
        table, rows = current(self.part, ["id"])
        clusters = pq.read_table(self.part.duplicates, schema=DECISIONS, columns=["cluster"])["cluster"].to_numpy()
        splits = draw_splits(clusters[rows], self.recipe.curate.split, self.recipe.seed)
        splits[pc.is_in(table["id"], self.alike).to_numpy()] = -1
        return splits

    def groups(self, columns: Sequence[str]) -> Iterator[tuple[int, pa.Table]]:
        """The rows that are left, some at a time."""
        names = list(dict.fromkeys(["id", *columns]))
        table = current(self.part, names)[0].select(list(columns))
        for start in range(0, len(table), _ROWS):
            yield start, table.slice(start, _ROWS)


@dataclass(frozen=True, kw_only=True)
class HeldAgain:
    """What was found.

    Attributes:
        lines: `schema.LEDGER` a part, of the rows that hold a test row, whether they are dropped or not.
        earlier: `schema.LEDGER` a part, of the rows that go because of earlier batches (`decontaminate.series`).
        rows: how many rows of each split hold a test row.
    """

    lines: list[pa.Table]
    earlier: list[pa.Table]
    rows: dict[str, int]


def hold_again(parts: Sequence[Part], alike: Sequence[pa.Table], recipe: Recipe, folder: Path, run: Map) -> HeldAgain:
    """Hold the test rows against the others as they stand.

    Args:
        parts: after the last round.
        alike: the ledger's lines of the rows of each that a cut made alike to others.
        recipe: of the run.
        folder: for the files between the steps.
        run: runs tasks.
    """
    jobs = [
        _Job(
            recipe=recipe,
            name=f"part-{part.number:05d}",
            work=folder,
            part=part,
            alike=lines["id"].combine_chunks(),
        )
        for part, lines in zip(parts, alike, strict=True)
    ]
    hold_series(jobs, recipe, folder, run)
    found = run(_lines_of_part, jobs)
    rows: Counter[str] = Counter(train=0, validation=0)
    for _, count, _ in found:
        rows.update(count)
    return HeldAgain(lines=[own for own, _, _ in found], earlier=[earlier for _, _, earlier in found], rows=dict(rows))


def _lines_of_part(job: _Job) -> tuple[pa.Table, dict[str, int], pa.Table]:
    named = job.named()
    holding = lines_of(job, named)
    return holding.lines, holding.rows, lines_of_series(job, named, holding)
