"""One way to write a Parquet part: exact schema, equal bytes for equal tables written one after the other.

Texts are compressed by zstd, numbers by LZ4: a file has many columns of few numbers, and to begin with zstd takes
longer than all of them. Curated rows, which others read, are zstd throughout: older readers do not know Parquet's LZ4.

And one to read a few columns of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.atomic import atomic_file
from pipeline.errors import cannot_write
from pipeline.schema import CURATED

__all__ = ["ParquetPart", "parquet_part", "read_parquet", "write_parquet"]

_FEW_VALUES = ["source", "kind", "stage", "rule", "messages.list.element.role", "failed.list.element"]
"""Columns that a dictionary makes smaller. Of the others Parquet would build one, find it too large and begin anew."""

_TEXTS = ["messages", "tools", "metadata"]
"""Columns without statistics: their least and greatest text would be copied, and stand in the footer, for nobody."""

_ROW_GROUP = 1 << 20
"""Bytes of the least row group: of smaller tables several are gathered, since each group costs 50 µs a column."""


_RANDOM = "sketch"
"""A column of random bits: compressed it is no smaller, only slower. Nor has it statistics."""


class ParquetPart:
    """A Parquet file that is being written, a row group for a table or for several small ones."""

    def __init__(self, path: Path, beside: Path, schema: pa.Schema) -> None:
        self.rows = 0
        self._path, self._schema = path, schema
        self._held: list[pa.Table] = []
        self._held_bytes = 0
        self._writer = pq.ParquetWriter(
            beside,
            schema,
            **_compression(schema),
            use_dictionary=_FEW_VALUES,
            write_statistics=[name for name in schema.names if name not in _TEXTS and name != _RANDOM],
        )

    def write(self, table: pa.Table) -> None:
        """Write the table's rows behind those that are there; an empty one adds nothing.

        Raises:
            MachineError: the disk is full.
        """
        if len(table) == 0:
            return
        if not table.schema.equals(self._schema):
            table = table.cast(self._schema)
        self.rows += len(table)
        if table.nbytes >= _ROW_GROUP:
            self.flush()  # and not put together with it, which would copy a large table
            self._write(table)
            return
        self._held.append(table)
        self._held_bytes += table.nbytes
        if self._held_bytes >= _ROW_GROUP:
            self.flush()

    def flush(self) -> None:
        """Write what is held.

        Raises:
            MachineError: the disk is full.
        """
        held, self._held, self._held_bytes = self._held, [], 0
        if held:
            self._write(pa.concat_tables(held).combine_chunks())

    def _write(self, table: pa.Table) -> None:
        try:
            self._writer.write_table(table)
        except OSError as error:
            raise cannot_write(error, str(self._path)) or error from None

    def close(self) -> None:
        """Write the footer, and nothing more."""
        self._writer.close()


def _compression(schema: pa.Schema) -> dict[str, Any]:
    codecs: dict[str, str] = {}
    fast = "zstd" if schema.equals(CURATED) else "lz4"
    for field in schema:
        for path, kind in _leaves(field.name, field.type):
            number = pa.types.is_integer(kind) or pa.types.is_floating(kind)
            codecs[path] = "none" if path == _RANDOM else fast if number else "zstd"
    # Level 3 takes nearly twice as long as level 1 over a whole part, and saves a tenth of the bytes.
    return {"compression": codecs, "compression_level": {path: 1 for path, codec in codecs.items() if codec == "zstd"}}


def _leaves(path: str, kind: pa.DataType) -> Iterator[tuple[str, pa.DataType]]:
    """The columns of a Parquet file that a field becomes: how they are named there, and their types."""
    if pa.types.is_list(kind):
        yield from _leaves(f"{path}.list.element", kind.value_type)
    elif pa.types.is_struct(kind):
        for child in kind:
            yield from _leaves(f"{path}.{child.name}", child.type)
    else:
        yield path, kind


@contextmanager
def parquet_part(path: Path, schema: pa.Schema) -> Iterator[ParquetPart]:
    """Write a Parquet file atomically, table by table: it is there when the block ends, and not if it raises.

    Raises:
        MachineError: the disk is full.
    """
    with atomic_file(path) as beside:
        part = ParquetPart(path, beside, schema)
        try:
            yield part
            part.flush()
        finally:
            part.close()


def write_parquet(path: Path, table: pa.Table, schema: pa.Schema) -> None:
    """Write `table` as `schema` atomically.

    Raises:
        MachineError: the disk is full.
    """
    with parquet_part(path, schema) as part:
        part.write(table.combine_chunks())


def read_parquet(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Read some columns of one file, in that order, or all.

    `pq.read_table` is for data sets of many files, and takes a millisecond more for one.
    """
    with pq.ParquetFile(path, pre_buffer=False) as file:
        if columns is None:
            return file.read(use_threads=False)
        return file.read(columns=list(columns), use_threads=False).select(list(columns))
