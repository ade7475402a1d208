"""The rows of a part that are kept, as they stand after so many rounds of cutting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.curate.duplicates import DECISIONS
from pipeline.curate.messages import contents_of, one_array, rows_of
from pipeline.schema import DOCUMENTS, LEDGER

__all__ = ["Contents", "Part", "contents", "current", "replaced"]


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of the run.

    Attributes:
        number: of the part.
        documents: its rows after pass one.
        duplicates: what was decided of them.
        contaminated: files with the ledger's lines of those that are dropped for what they share with the test split.
        start: the number of its first row, over all parts.
        cuts: a prefix for the files of the rows that were cut, or None.
        version: how many rounds had changed it, so that what was computed of it before is known to be the same.
    """

    number: int
    documents: Path
    duplicates: Path
    contaminated: tuple[Path, ...]
    start: int
    cuts: Path | None = None
    version: int = 0

    def after(self, cuts: Path, version: int) -> Part:
        """The part after a round that changed it."""
        return replace(self, cuts=cuts, version=version)

    @property
    def cut_rows(self) -> Path | None:
        """`schema.DOCUMENTS`: the rows that were cut and are kept, as they stand now."""
        return self.cuts and self.cuts.with_name(f"{self.cuts.name}-rows.parquet")

    @property
    def dropped(self) -> Path | None:
        """`schema.LEDGER`: the rows of which a cut left nothing that is kept."""
        return self.cuts and self.cuts.with_name(f"{self.cuts.name}-dropped.parquet")

    @property
    def held(self) -> Path | None:
        """`schema.LEDGER`: what of evaluation sets was cut out of rows that were cut."""
        return self.cuts and self.cuts.with_name(f"{self.cuts.name}-held.parquet")


class Contents(NamedTuple):
    """The contents of all messages of the kept rows.

    Attributes:
        texts: large_string [contents].
        rows: int64 [contents], the row of the documents part that each stands in.
        bounds: int64 [contents + 1], the places of the texts in their buffer.
    """

    texts: pa.LargeStringArray
    rows: NDArray[np.int64]
    bounds: NDArray[np.int64]


def current(part: Part, columns: Sequence[str]) -> tuple[pa.Table, NDArray[np.int64]]:
    """The kept rows as they stand, and which rows of the documents part they are (ascending).

    Args:
        part: of the run.
        columns: to read, with `id`.
    """
    table = pq.read_table(part.documents, columns=list(columns))
    kept = pq.read_table(part.duplicates, schema=DECISIONS, columns=["stage"])["stage"]
    keep = pc.is_null(kept)
    for file in part.contaminated:
        held = pq.read_table(file, schema=LEDGER, columns=["id"])["id"]
        keep = pc.and_(keep, pc.invert(pc.is_in(table["id"], held.combine_chunks())))
    rows = np.flatnonzero(keep.to_numpy())
    table = table.take(pa.array(rows)) if len(rows) < len(table) else table
    if part.cuts is None:
        return table, rows
    changed = pq.read_table(part.cut_rows, schema=DOCUMENTS, columns=list(columns))
    dropped = pq.read_table(part.dropped, schema=LEDGER, columns=["id"])["id"]
    table, left = replaced(table, changed, dropped)
    return table, rows[left]


def replaced(table: pa.Table, changed: pa.Table, dropped: pa.ChunkedArray) -> tuple[pa.Table, NDArray[np.int64]]:
    """Put changed rows in the place of those with their ids, and leave some out.

    Args:
        table: rows with an `id`.
        changed: rows with the same columns; each id is in `table`.
        dropped: ids.

    Returns:
        The rows in their order, and which rows of `table` they are.
    """
    ids = one_array(table["id"])
    left = np.flatnonzero(~pc.is_in(ids, dropped.combine_chunks()).to_numpy(zero_copy_only=False))
    places = pc.index_in(ids, changed["id"].combine_chunks())
    now = np.where(places.is_valid(), len(table) + places.fill_null(0).to_numpy(), np.arange(len(table)))
    if len(left) == len(table) and not len(changed):
        return table, left
    return pa.concat_tables([table, changed]).take(pa.array(now[left])).combine_chunks(), left


def contents(part: Part) -> Contents:
    """The contents of a part's kept rows, as they stand."""
    table, rows = current(part, ["id", "messages"])
    messages = one_array(table["messages"])
    texts = contents_of(messages)
    _, bounds, _ = texts.buffers()
    places = np.frombuffer(bounds, np.int64, len(texts) + 1, 8 * texts.offset) if len(texts) else np.zeros(1, np.int64)
    return Contents(texts=texts, rows=rows[rows_of(messages)], bounds=places)
