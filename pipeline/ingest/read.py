"""Blocks into rows, and a reason for every line that is none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.ingest.blocks import Block
from pipeline.ingest.exact_json import parse
from pipeline.ingest.formats import Adapter, adapter_for
from pipeline.ingest.lines import Lines, gathered, lines_of
from pipeline.ingest.plain import PlainRows
from pipeline.ingest.rejected import Rejected
from pipeline.ingest.rows import RowsBuilder
from pipeline.ingest.targets import lines_of_target
from pipeline.schema import LEDGER

__all__ = ["Ingested", "read_blocks"]


@dataclass(frozen=True, kw_only=True)
class Ingested:
    """The rows of some blocks; `rows_in` is the sum of both tables' lengths."""

    rows: pa.Table
    """`schema.ROWS`, in the order of the blocks and of their lines."""
    rejected: pa.Table
    """`schema.LEDGER`, one line for each row that could not be read."""
    rows_in: int
    bytes_in: int
    """Unpacked bytes of the rows, without ends of lines."""


def read_blocks(blocks: Sequence[Block], *, max_row_bytes: int) -> Ingested:
    """Read blocks into rows.

    Args:
        blocks: of any sources, as `plan_parts` groups them.
        max_row_bytes: a longer line is rejected, and never held as a whole.

    Raises:
        InputError: a file cannot be read or is damaged, or a target raised.
    """
    reading = _Reading()
    for source, group in groupby(blocks, key=lambda block: block.source):
        of_source = list(group)
        adapter = adapter_for(source)
        plain = PlainRows(source, adapter.strings, sum(block.bytes for block in of_source)) if adapter.strings else None
        for block in of_source:
            for lines in _lines_of(block, max_row_bytes):
                reading.add(block, lines, adapter, plain)
        if plain is not None:
            reading.plain.append(plain.table())
    return reading.done()


def _lines_of(block: Block, max_row_bytes: int) -> Iterator[Lines]:
    if block.source.target is not None:
        return gathered(lines_of_target(block, max_row_bytes=max_row_bytes))
    return lines_of(block, max_row_bytes=max_row_bytes)


class _Reading:
    """What has been read so far."""

    def __init__(self) -> None:
        self.plain: list[pa.Table] = []
        self._others = RowsBuilder()
        self._rejected: list[dict[str, Any]] = []
        self._rows_in = self._bytes_in = 0
        self._plain_places: list[np.ndarray] = []  # the place of every row among all lines
        self._other_places: list[int] = []

    def add(self, block: Block, lines: Lines, adapter: Adapter, plain: PlainRows | None) -> None:
        """Read some lines: those that the kernel knows at once, the others one by one."""
        prefix = f"{block.source.name}/{block.shard}#"
        known = np.zeros(len(lines.numbers), np.bool_) if plain is None else plain.add(prefix, lines)
        self._plain_places.append(self._rows_in + np.flatnonzero(known))
        for index in np.flatnonzero(~known).tolist():
            row = int(lines.numbers[index])
            try:
                conversation = adapter.read(parse(lines.text(index)))
            except Rejected as why:
                self._rejected.append(
                    {
                        "id": f"{prefix}{row}",
                        "source": block.source.name,
                        "stage": "ingest",
                        "rule": why.rule,
                        "value": why.value,
                        "threshold": why.threshold,
                        "evidence": f"{block.place}:{row + 1}: {why.reason}",
                    }
                )
            else:
                self._others.add(f"{prefix}{row}", block.source, conversation)
                self._other_places.append(self._rows_in + index)
        self._rows_in += len(known)
        self._bytes_in += lines.size

    def done(self) -> Ingested:
        """Everything, in the order in which it came."""
        rows = pa.concat_tables([*self.plain, self._others.table()]).combine_chunks()
        if self._other_places and any(map(len, self.plain)):
            places = np.concatenate([*self._plain_places, self._other_places])
            rows = rows.take(pa.array(np.argsort(places, kind="stable")))
        return Ingested(
            rows=rows,
            rejected=pa.Table.from_pylist(self._rejected, schema=LEDGER),
            rows_in=self._rows_in,
            bytes_in=self._bytes_in,
        )
