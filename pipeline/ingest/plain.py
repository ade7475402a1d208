"""Rows that a kernel can read by itself: no Python object is made of them.

They are most rows of most files. The others, and those that are no rows, are read one by one (`formats`), with the
same result; the tests hold the two against each other.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.config import Source
from pipeline.engines import Engine
from pipeline.engines.columns import from_arrow
from pipeline.engines.operations.json_rows import LEVELS, MEMBERS
from pipeline.engines.plain_lines import PlainLines
from pipeline.ingest.lines import Lines
from pipeline.schema import MESSAGE, MESSAGES, ROWS
from pipeline.text.json_rows import read_texts
from pipeline.text.kernel import compiled

__all__ = ["PlainRows", "Strings", "is_utf8"]

Strings = Sequence[tuple[str, str]]
"""Role and key of each message of a row, of a format whose messages are strings under keys of the row."""


class PlainRows:
    """Gathers the plain rows of one source.

    Args:
        source: whose rows they are.
        strings: how its format reads a row.
        room: about how many bytes will come; more may.
        engine: that reads, where lines are best read by one; else they are read here.
    """

    def __init__(self, source: Source, strings: Strings, room: int, engine: Engine | None = None) -> None:
        self._source = source
        self._roles = [role for role, _ in strings]
        self._engine, self._read = engine, list[PlainLines]()
        self._keys = names = [key.encode() for _, key in strings]
        self._names = _frozen(np.frombuffer(b"".join(names), np.uint8))
        self._name_bounds = np.cumsum([0, *map(len, names)])
        self._texts, self._rest = _Buffer(room), _Buffer(0)
        self._ids: list[pa.Array] = []

    def add(self, prefix: str, lines: Lines) -> np.ndarray:
        """Add the plain ones among the lines.

        Args:
            prefix: of the rows' ids.
            lines: n of them.

        Returns:
            bool array (n): which were.
        """
        if lines.read is not None:
            self._keep(lines.read)
            plain = lines.read.plain
        elif not is_utf8(lines.buffer):
            return np.zeros(len(lines.numbers), np.bool_)
        else:
            plain = self._read_here(lines) if self._engine is None else self._read_there(lines, self._engine)
        numbers = pa.array(lines.numbers[plain]).cast(pa.string())
        self._ids.append(pc.binary_join_element_wise(prefix, numbers, ""))
        return plain

    def _keep(self, read: PlainLines) -> None:
        """Keep what was read of columns."""
        if self._engine is not None:
            self._read.append(read)
        else:
            self._texts.append(read.texts)
            self._rest.append(read.rest)

    def _read_there(self, lines: Lines, engine: Engine) -> np.ndarray:
        """Have the engine read, which keeps the copies that it makes of the texts."""
        read = engine.read_lines(np.frombuffer(lines.buffer, np.uint8), lines.starts, lines.ends, self._keys)
        self._read.append(read)
        return read.plain

    def _read_here(self, lines: Lines) -> np.ndarray:
        plain = np.zeros(len(lines.numbers), np.bool_)
        texts = self._texts.extended(len(lines.buffer) * len(self._roles), len(plain) * len(self._roles))
        rest = self._rest.extended(len(lines.buffer), len(plain))
        count = read_rows(
            np.frombuffer(lines.buffer, np.uint8),
            lines.starts,
            lines.ends,
            self._names,
            self._name_bounds,
            np.empty((MEMBERS, 4), np.int64),
            np.empty(LEVELS, np.int64),
            *texts,
            *rest,
            plain,
        )
        self._texts.keep(count * len(self._roles))
        self._rest.keep(count)
        return plain

    def _columns(self) -> tuple[pa.LargeStringArray, pa.LargeStringArray]:
        """The texts, and the rests of the rows."""
        if self._engine is None:
            return self._texts.column(), self._rest.column()
        nothing = pa.array([], pa.large_string())
        pieces = [one.texts for one in self._read]
        texts = pieces[0] if len(pieces) == 1 else pa.concat_arrays([nothing, *pieces])
        if len(pieces) > 1:
            self._engine.follow(texts, pieces, lambda: np.arange(len(texts)))
        return texts, pa.concat_arrays([nothing, *(one.rest for one in self._read)])

    def table(self) -> pa.Table:
        """The rows so far, as `schema.ROWS`."""
        ids = pa.concat_arrays([pa.array([], pa.string()), *self._ids])
        rows, turns = len(ids), len(self._roles)
        contents, rest = self._columns()
        roles = pa.array(self._roles, pa.string()).take(pa.array(np.tile(np.arange(turns), rows)))
        extras = pa.nulls(rows * turns, MESSAGE.field("extra").type)
        flat = pa.StructArray.from_arrays([roles, contents, extras], fields=list(MESSAGE))
        offsets = np.arange(rows + 1, dtype=np.int32) * np.int32(turns)
        return pa.Table.from_arrays(
            [
                ids,
                pa.repeat(self._source.name, rows),
                pa.repeat(self._source.kind, rows),
                pa.ListArray.from_arrays(pa.array(offsets), flat, type=MESSAGES),
                pa.nulls(rows, ROWS.field("tools").type),
                pc.if_else(pc.equal(pc.binary_length(rest), 0), pa.scalar(None, rest.type), rest),
            ],
            schema=ROWS,
        )


class _Buffer:
    """A text column that grows: memory that is never touched costs nothing, so room is made generously."""

    def __init__(self, room: int) -> None:
        self._bytes = np.empty(room, np.uint8)
        self._bounds = np.zeros(1024, np.int64)
        self._rows = 0

    def extended(self, size: int, rows: int) -> tuple[np.ndarray, np.ndarray]:
        """Make room for `size` more bytes and `rows` more rows.

        Returns:
            All bytes; and the bounds of the new rows, of which only the first is known.
        """
        used = int(self._bounds[self._rows])
        self._bytes = _grown(self._bytes, used, used + size)
        self._bounds = _grown(self._bounds, self._rows + 1, self._rows + 1 + rows)
        return self._bytes, self._bounds[self._rows : self._rows + 1 + rows]

    def keep(self, rows: int) -> None:
        """Keep the first of the new rows."""
        self._rows += rows

    def append(self, texts: pa.LargeStringArray) -> None:
        """Add the rows of a column."""
        column = from_arrow(texts)
        first, last = int(column.bounds[0]), int(column.bounds[-1])
        data, bounds = self.extended(last - first, column.rows)
        at = int(bounds[0])
        data[at : at + last - first] = column.buffer[first:last]
        np.add(column.bounds, at - first, out=bounds)
        self.keep(column.rows)

    def column(self) -> pa.LargeStringArray:
        """All rows."""
        bounds = self._bounds[: self._rows + 1]
        data = self._bytes[: bounds[-1]]
        return pa.LargeStringArray.from_buffers(self._rows, pa.py_buffer(bounds), pa.py_buffer(data))


def _grown(array: np.ndarray, used: int, needed: int) -> np.ndarray:
    if needed <= len(array):
        return array
    larger = np.empty(max(needed, 2 * len(array)), array.dtype)
    larger[:used] = array[:used]
    return larger


def _frozen(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False  # as lines are; for Numba it is a type of its own, which would be compiled twice
    return array


def is_utf8(data: bytes) -> bool:
    """Whether bytes are UTF-8; lines that are not all so are read one by one."""
    # A line feed is no part of a longer character, so the lines are UTF-8 if all of it is.
    bounds = pa.py_buffer(np.array([0, len(data)]))
    try:
        pa.LargeBinaryArray.from_buffers(pa.large_binary(), 1, [None, bounds, pa.py_buffer(data)]).cast("large_string")
    except pa.ArrowInvalid:
        return False
    return True


@compiled
def read_rows(
    buffer: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    names: np.ndarray,
    name_bounds: np.ndarray,
    members: np.ndarray,
    levels: np.ndarray,
    texts: np.ndarray,
    text_bounds: np.ndarray,
    rest: np.ndarray,
    rest_bounds: np.ndarray,
    plain: np.ndarray,
) -> int:
    """Read the plain ones among the lines, one behind another, say which they are, and return how many."""
    wanted = len(name_bounds) - 1
    count = 0
    for line in range(len(starts)):
        places = text_bounds[count * wanted : (count + 1) * wanted + 1]
        at = rest_bounds[count]
        length = read_texts(
            buffer, starts[line], ends[line], names, name_bounds, members, levels, texts, places, rest, at
        )
        if length >= 0:
            plain[line] = True
            count += 1
            rest_bounds[count] = at + length
    return count
