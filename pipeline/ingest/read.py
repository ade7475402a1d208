"""Blocks into rows, and a reason for every line that is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from pipeline.ingest.blocks import Block
from pipeline.ingest.exact_json import parse
from pipeline.ingest.formats import adapter_for
from pipeline.ingest.lines import lines_of
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
    rows = RowsBuilder()
    rejected: list[dict[str, Any]] = []
    rows_in = bytes_in = 0
    for block in blocks:
        adapter = adapter_for(block.source)
        prefix = f"{block.source.name}/{block.shard}#"
        read = lines_of_target if block.source.target is not None else lines_of
        for line in read(block, max_row_bytes=max_row_bytes):
            rows_in += 1
            bytes_in += line.bytes
            try:
                if isinstance(line.text, Rejected):
                    raise line.text
                conversation = adapter.read(parse(line.text))
            except Rejected as why:
                rejected.append(
                    {
                        "id": f"{prefix}{line.row}",
                        "source": block.source.name,
                        "stage": "ingest",
                        "rule": why.rule,
                        "value": why.value,
                        "threshold": why.threshold,
                        "evidence": f"{block.place}:{line.row + 1}: {why.reason}",
                    }
                )
            else:
                rows.add(f"{prefix}{line.row}", block.source, conversation)
    return Ingested(
        rows=rows.table(),
        rejected=pa.Table.from_pylist(rejected, schema=LEDGER),
        rows_in=rows_in,
        bytes_in=bytes_in,
    )
