"""What pass two takes from the stage `substrings`."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.config import Recipe
from pipeline.curate.substrings.texts import replaced
from pipeline.run import RunDirectory
from pipeline.schema import DOCUMENTS, LEDGER

__all__ = ["apply_cuts", "cut_keys", "cuts"]


def cut_keys(number: int) -> str:
    """The file of a part's keys after cutting, where some row of the run was cut: of the rows that were left then."""
    return f"substrings/keys-{number:05d}.parquet"


def cuts(recipe: Recipe) -> bool:
    """Whether the recipe asks for cuts."""
    substrings = recipe.curate.dedup.substrings
    return substrings is not None and substrings.action == "cut"


def apply_cuts(
    kept: pa.Table, clusters: pa.ChunkedArray, number: int, run: RunDirectory, recipe: Recipe
) -> tuple[pa.Table, pa.ChunkedArray, pa.Table]:
    """Put the rows that were cut in the place of those that were not.

    Args:
        kept: `schema.DOCUMENTS`, rows of a part.
        clusters: of the same rows.
        number: of the part.
        run: with the stage's files.
        recipe: of the run; unless it asks for cuts, the rows stay as they are.

    Returns:
        The rows that are left, their clusters, and the ledger's lines of the others.
    """
    if not cuts(recipe):
        return kept, clusters, LEDGER.empty_table()
    changed = pq.read_table(run.path(f"substrings/rows-{number:05d}.parquet"), schema=DOCUMENTS)
    dropped = pq.read_table(run.path(f"substrings/dropped-{number:05d}.parquet"), schema=LEDGER)
    kept, left = replaced(kept, changed, dropped["id"])
    return kept, clusters.take(pa.array(left)), dropped
