"""The batches of a series held against one another, in both directions.

- A new test row that an earlier batch's *training* row holds in a longer text leaves the test (`trained_on`): a
  champion has read it.
- A new training or validation row that holds an earlier batch's *test* row goes: that row is still tested on, and the
  candidate would have read what the champion has not.

Both are dropped whatever `test_split.action` says, for either would decide the gate unseen; half of a text's n-grams
and the common ones mean what they mean for the run's own test split (`holding`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.config import Recipe
from pipeline.curate.decontaminate import trained_on
from pipeline.curate.decontaminate.holding import Held, HoldingRows, hold
from pipeline.curate.dedup.work import Map
from pipeline.curate.earlier import EarlierPart, earlier_parts
from pipeline.schema import LEDGER, SPLITS

__all__ = ["hold_series", "lines_of_series"]

_TEST = SPLITS.index("test")


@dataclass(frozen=True, kw_only=True)
class _EarlierTest(Held):
    """Test rows of an earlier batch; their ids are led by its name, so that the ledger says whose they are."""

    part: EarlierPart

    def splits(self) -> NDArray[np.int64]:
        """All are test rows."""
        return np.full(pq.read_metadata(self.part.path).num_rows, _TEST)

    def groups(self, columns: Sequence[str]) -> Iterator[tuple[int, pa.Table]]:
        """The rows as that batch kept them."""
        with pq.ParquetFile(self.part.path) as file:
            start = 0
            for group in range(file.num_row_groups):
                table = file.read_row_group(group, columns=list(columns))
                place = table.schema.get_field_index("id")
                if place >= 0:
                    named = pc.binary_join_element_wise(self.part.run, table["id"], "/")
                    table = table.set_column(place, table.schema.field("id"), named)
                yield start, table
                start += len(table)


def hold_series(jobs: Sequence[Held], recipe: Recipe, work: Path, run: Map) -> dict[str, Any]:
    """Hold the run's own test rows against its rows (`hold`), and those of its series' earlier batches, if it has any.

    Args:
        jobs: the parts of the run.
        recipe: of the run.
        work: folder of the files between the steps.
        run: runs tasks.

    Returns:
        What `hold` says; in a series also `earlier`, how many new test rows earlier training rows hold.

    Raises:
        InputError: a batch has no finished curation, or a part of it is gone.
    """
    earlier = trained_on.earlier_jobs(recipe, work)
    tests = [
        _EarlierTest(recipe=recipe, name=f"test-{part.name}", work=work, part=part)
        for part in earlier_parts(recipe, "test")
    ]
    said = hold(jobs, recipe, work, run, earlier=earlier, tests=tests)
    if jobs and recipe.retrain.earlier:
        run(trained_on.match_earlier, earlier)
        said["earlier"] = trained_on.choose(earlier, work)
    return said


def lines_of_series(job: Held, named: pa.Table, holding: HoldingRows) -> pa.Table:
    """The ledger's lines of the rows of one part that go because of earlier batches; none without a series.

    Args:
        job: the part.
        named: its rows, as `Held.named` reads them.
        holding: those that hold a test row.
    """
    if not job.recipe.retrain.earlier:
        return LEDGER.empty_table()
    tested = trained_on.lines_of(job.work, named, job.recipe.curate.decontaminate.test_split)
    return pa.concat_tables([tested, holding.earlier])
