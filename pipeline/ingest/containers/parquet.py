"""Parquet: row groups, read by as many workers as there are, a few rows at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.config import Source
from pipeline.errors import InputError, did_you_mean
from pipeline.ingest.blocks import Block
from pipeline.ingest.lines import Line, Lines, gathered, too_long
from pipeline.ingest.rejected import Rejected
from pipeline.ingest.shards import Shard
from pipeline.ingest.storage import fingerprint_of, open_file, reading
from pipeline.ingest.streams import content_of

__all__ = ["check_columns", "read_parquet", "survey_parquet"]

_BATCH = 1 << 20
"""Bytes of rows that are decoded at once, about."""


def survey_parquet(source: Source, shard: Shard, *, part_bytes: int) -> tuple[list[Block], str]:
    """Blocks of whole row groups, about `part_bytes` of them unpacked, and the file's fingerprint.

    Of a remote file only the footer is read, where its store tells one version of it from another.

    Raises:
        InputError: the file cannot be read, or is no Parquet file.
    """
    content = shard.version or fingerprint_of(shard.location) or content_of(shard.location)[0]
    with _file(shard.location) as file:
        groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
        columns = tuple(file.schema_arrow.names)
    blocks: list[Block] = []
    begin = held = rows = row = 0
    for number, group in enumerate(groups, 1):
        held += group.total_byte_size
        rows += group.num_rows
        if held >= part_bytes or number == len(groups):
            blocks.append(
                shard.block(
                    source,
                    "parquet",
                    offset=begin,
                    length=number - begin,
                    first_row=row,
                    bytes=held,
                    lines=rows,
                    header=columns,
                )
            )
            begin, held, row, rows = number, 0, row + rows, 0
    return [block for block in blocks if block.lines], content


def read_parquet(block: Block, *, max_row_bytes: int) -> Iterator[Lines]:
    """The rows of a block's row groups, each written as a JSON object.

    A row group is decoded page by page, so that memory does not grow with it.
    """
    return gathered(_rows(block, max_row_bytes))


def check_columns(needed: Iterable[str], columns: Iterable[str], location: str) -> None:
    """Say which column a format needs and a table lacks.

    Raises:
        InputError: one is missing.
    """
    held = list(columns)
    for key in needed:
        if key not in held:
            raise InputError(
                f"no column {key!r}{did_you_mean(key, held)}",
                where=location,
                mend=f"name it under the source's `columns`; the file has {', '.join(held)}",
            )


def _rows(block: Block, limit: int) -> Iterator[Line]:
    constants = {key: orjson.Fragment(value) for key, value in block.constants}
    number = block.first_row
    size = max(1, min(8192, _BATCH * (block.lines or 1) // max(1, block.bytes)))
    with _file(block.location) as file:
        groups = list(range(block.offset, block.offset + block.length))
        nested = any(pa.types.is_nested(field.type) for field in file.schema_arrow)
        for batch in file.iter_batches(batch_size=size, row_groups=groups, use_threads=False):
            for row in batch.to_pylist(maps_as_pydicts="strict"):
                text = _as_json({**constants, **(_without_nulls(row) if nested else row)})
                length = len(text) if isinstance(text, bytes) else 0
                yield Line(number, text if length <= limit else too_long(length, limit), length)
                number += 1


def _as_json(row: dict[str, Any]) -> bytes | Rejected:
    try:
        return orjson.dumps(row, default=_plain)
    except UnicodeDecodeError:
        return Rejected("invalid_utf8", "a value of bytes is not UTF-8")
    except (orjson.JSONEncodeError, TypeError):
        return Rejected("wrong_type", "a value has no form in JSON")


def _plain(value: Any) -> Any:
    """What JSON has no form for: bytes are text, decimals keep their digits."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError


def _without_nulls(row: dict[str, Any]) -> dict[str, Any]:
    """A row without the null fields of its structs.

    Parquet gives every struct of a column the same fields, and null where a row has none; which of these were null when
    they were written it cannot say.
    """
    return {key: _inner(value) for key, value in row.items()}


def _inner(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _inner(item) for key, item in value.items() if item is not None}
    return [_inner(item) for item in value] if isinstance(value, list) else value


@contextmanager
def _file(location: str) -> Iterator[pq.ParquetFile]:
    with reading(location), open_file(location) as raw:
        try:
            # Without buffers of whole column chunks, which would be as large as the row group.
            with pq.ParquetFile(raw, pre_buffer=False, buffer_size=1 << 16) as file:
                yield file
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
            raise _broken(location, error) from None
        except OSError as error:
            if error.errno is not None:
                raise
            raise _broken(location, error) from None


def _broken(location: str, error: Exception) -> InputError:
    return InputError(
        f"the Parquet file cannot be read: {str(error).splitlines()[0]}",
        where=location,
        mend="fetch or write it again, or take it out of the source",
    )
