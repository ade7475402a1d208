"""Blocks into rows, and a reason for every line that is none."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.config import Source
from pipeline.engines import Engine
from pipeline.engines.conversations import taken
from pipeline.errors import InputError
from pipeline.ingest.blocks import Block
from pipeline.ingest.containers import CONTAINERS
from pipeline.ingest.exact_json import parse
from pipeline.ingest.formats import Adapter, Read, adapter_for
from pipeline.ingest.formats.conversation import Conversation
from pipeline.ingest.lines import Lines, gathered, together
from pipeline.ingest.plain import PlainRows, is_utf8
from pipeline.ingest.rejected import Rejected
from pipeline.ingest.rows import RowsBuilder
from pipeline.ingest.targets import lines_of_target
from pipeline.schema import LEDGER, ROWS

__all__ = ["Ingested", "read_blocks", "read_slices"]


@dataclass(frozen=True, kw_only=True)
class Ingested:
    """Rows that follow each other in some blocks; `rows_in` is the sum of both tables' lengths."""

    rows: pa.Table
    """`schema.ROWS`, in the order of the blocks and of their lines."""
    rejected: pa.Table
    """`schema.LEDGER`, one line for each row that could not be read."""
    places: np.ndarray
    """int64 (rows), where each row stands among all that came in."""
    rejected_places: np.ndarray
    """int64 (rejected), the same of those that could not be read."""
    rows_in: int
    bytes_in: int
    """Unpacked bytes of the rows, without ends of lines."""


def read_blocks(blocks: Sequence[Block], *, max_row_bytes: int) -> Ingested:
    """Read blocks into rows, all at once.

    Args:
        blocks: of any sources, as `plan_parts` groups them.
        max_row_bytes: a longer line is rejected, and never held as a whole.

    Raises:
        InputError: a file cannot be read or is damaged, or a target raised.
    """
    slices = read_slices(blocks, max_row_bytes=max_row_bytes, slice_bytes=sys.maxsize)
    return next(slices, None) or _Reading(0).take()


def read_slices(
    blocks: Sequence[Block], *, max_row_bytes: int, slice_bytes: int, engine: Engine | None = None
) -> Iterator[Ingested]:
    """Read blocks into rows, a slice of bounded size at a time, so that memory does not grow with the blocks.

    Args:
        blocks: as of `read_blocks`.
        max_row_bytes: as of `read_blocks`.
        slice_bytes: of the rows of a slice at most, save where what is read at once (`lines.CHUNK`, or a longer row and
            the few that end with it) is more; up to an eighth more where no more is known to be left, since a part ends
            with the row that fills it, and a slice of that row alone would cost what one of hundreds does beside its
            texts.
        engine: that works on the rows next; the lines are read by it if it is best at that.

    Yields:
        Slices of at least one row each, in order. Nothing of a slice is held here once it is out.

    Raises:
        InputError: as of `read_blocks`.
    """
    engine = engine if engine is not None and engine.read_bytes else None
    left = sum(block.bytes for block in blocks)  # of a packed file only about
    most = slice_bytes * 9 // 8
    reading = _Reading(min(most, left), engine)
    batches = _batches(blocks, max_row_bytes, engine)
    while batch := next(batches, None):  # not `for`, whose variable would hold the last batch to the end
        size = batch[1].size
        full = reading.bytes_in + size > slice_bytes and reading.bytes_in + max(size, left) > most
        if reading.rows_in and full:
            yield reading.take()
        reading.add(*batch)
        left -= max(size, len(batch[1].buffer))  # with ends of lines; of a line that is too long there is no buffer
    if reading.rows_in:
        yield reading.take()


def _batches(
    blocks: Sequence[Block], max_row_bytes: int, engine: Engine | None
) -> Iterator[tuple[Block, Lines, Adapter]]:
    for source, group in groupby(blocks, key=lambda block: block.source):
        adapter = adapter_for(source)
        for block in group:
            lines = _lines_of(block, max_row_bytes, [key for _, key in adapter.strings], engine)
            for some in _gathered(lines, engine.read_bytes if engine and adapter.strings else 0):
                yield block, some, adapter


def _lines_of(block: Block, max_row_bytes: int, keys: Sequence[str], engine: Engine | None) -> Iterator[Lines]:
    if block.source.target is not None:
        return gathered(lines_of_target(block, max_row_bytes=max_row_bytes))
    container = CONTAINERS[block.container]
    if container.read_texts is not None and keys and block.wanted is None:
        return container.read_texts(block, keys, engine, max_row_bytes=max_row_bytes)
    lines = container.read(block, max_row_bytes=max_row_bytes)
    return lines if block.wanted is None else _only(lines, *block.wanted)


def _gathered(lines: Iterator[Lines], at_once: int) -> Iterator[Lines]:
    """The lines, so many bytes of them together.

    By themselves are those that are not UTF-8, not to spoil the others, and those of which some are read already.
    """
    if not at_once:
        yield from lines
        return
    held: list[Lines] = []
    for some in lines:
        alone = some.read is not None or not is_utf8(some.buffer)
        if held and (alone or sum(len(one.buffer) for one in held) >= at_once):
            yield together(held)
            held = []
        if alone:
            yield some
        else:
            held.append(some)
    if held:
        yield together(held)


def _only(lines: Iterator[Lines], begin: int, end: int) -> Iterator[Lines]:
    """The lines whose numbers are wanted."""
    for some in lines:
        if len(some.numbers) and some.numbers[0] >= end:
            return
        kept = np.flatnonzero((some.numbers >= begin) & (some.numbers < end))
        if len(kept) == len(some.numbers):
            yield some
        elif len(kept):
            refused = {place: some.refused[index] for place, index in enumerate(kept.tolist()) if index in some.refused}
            starts, ends = some.starts[kept], some.ends[kept]
            yield Lines(some.buffer, some.numbers[kept], starts, ends, refused, ends - starts)


def _ledger_line(name: str, block: Block, row: int, why: Rejected) -> dict[str, Any]:
    evidence = f"{block.place}:{row + 1}: {why.reason}"
    if not block.source.skip_invalid:
        raise InputError(
            f"a row cannot be read: {why.rule}",
            where=f"source {block.source.name}: {evidence}",
            mend="mend the row, or set `skip_invalid: true` to have such rows listed in the ledger instead",
        )
    return {
        "id": name,
        "source": block.source.name,
        "stage": "ingest",
        "rule": why.rule,
        "value": why.value,
        "threshold": why.threshold,
        "evidence": evidence,
    }


class _Reading:
    """What has been read since it was last taken.

    Args:
        room: about how many bytes will come; more may.
        engine: that reads lines, where one does.
    """

    def __init__(self, room: int, engine: Engine | None = None) -> None:
        self._room, self._engine = room, engine
        self._begin()

    def _begin(self) -> None:
        self.rows_in = self.bytes_in = 0
        self._plain: dict[str, PlainRows] = {}  # by source, in the order in which they come
        self._others = RowsBuilder()
        self._rejected: list[dict[str, Any]] = []
        # The place of every row among all that came in.
        self._plain_places: list[np.ndarray] = []
        self._other_places: list[int] = []
        self._rejected_places: list[int] = []

    def add(self, block: Block, lines: Lines, adapter: Adapter) -> None:
        """Read some lines: those that the kernel knows at once, the others one by one."""
        prefix = f"{block.source.name}/{block.shard}#"
        plain = self._plain_rows(block.source, adapter)
        known = np.zeros(len(lines.numbers), np.bool_) if plain is None else plain.add(prefix, lines)
        self._plain_places.append(self.rows_in + np.flatnonzero(known))
        extra = 0  # rows beyond one a line
        for index in np.flatnonzero(~known).tolist():
            row = int(lines.numbers[index])
            read: Read | Rejected
            try:
                read = adapter.read(parse(lines.text(index)))
            except Rejected as why:
                read = why
            many = isinstance(read, list)
            for number, one in enumerate(read if isinstance(read, list) else [read]):
                extra += number > 0
                self._add_one(f"{prefix}{row}.{number}" if many else f"{prefix}{row}", block, row, index + extra, one)
        self.rows_in += len(known) + extra
        self.bytes_in += lines.size

    def _add_one(self, name: str, block: Block, row: int, index: int, one: Conversation | Rejected) -> None:
        """Add a row of one by one, or why it is none; it is the one after `index` of those that come now."""
        if isinstance(one, Rejected):
            self._rejected.append(_ledger_line(name, block, row, one))
            self._rejected_places.append(self.rows_in + index)
        else:
            self._others.add(name, block.source, one)
            self._other_places.append(self.rows_in + index)

    def take(self) -> Ingested:
        """Everything, in the order in which it came; then there is nothing."""
        rows, places = self._rows()
        taken = Ingested(
            rows=rows,
            rejected=pa.Table.from_pylist(self._rejected, schema=LEDGER),
            places=places,
            rejected_places=np.array(self._rejected_places, np.int64),
            rows_in=self.rows_in,
            bytes_in=self.bytes_in,
        )
        self._begin()
        return taken

    def _rows(self) -> tuple[pa.Table, np.ndarray]:
        tables = [ROWS.empty_table(), *(rows.table() for rows in self._plain.values())]
        if self._other_places:
            tables.append(self._others.table())
        tables = [table for table in tables if len(table)] or tables[:1]
        # One source's plain rows are in their order, and in one piece; only others must be copied to theirs.
        rows = tables[0] if len(tables) == 1 else self._taken(tables, np.arange(sum(map(len, tables))))
        places = np.concatenate([np.zeros(0, np.int64), *self._plain_places, np.array(self._other_places, np.int64)])
        if len(tables) > 1 and self._other_places:
            order = np.argsort(places, kind="stable")
            rows, places = self._taken([rows], order), places[order]
        return rows, places

    def _taken(self, tables: Sequence[pa.Table], rows: np.ndarray) -> pa.Table:
        """Rows of tables, counted through all of them."""
        if self._engine is not None:
            return taken(tables, rows, self._engine)
        table = pa.concat_tables(tables)
        return table.take(pa.array(rows)) if len(tables) == 1 else table.combine_chunks()

    def _plain_rows(self, source: Source, adapter: Adapter) -> PlainRows | None:
        if not adapter.strings:
            return None
        if source.name not in self._plain:
            self._plain[source.name] = PlainRows(source, adapter.strings, self._room, self._engine)
        return self._plain[source.name]
