"""Parquet: row groups, read by as many workers as there are, a few rows at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.config import Source
from pipeline.errors import InputError, did_you_mean
from pipeline.ingest.blocks import Block
from pipeline.ingest.containers.arrow_json import values_of
from pipeline.ingest.containers.parquet_sizes import byte_arrays, decoded_bytes, packed_bytes, safe_rows
from pipeline.ingest.lines import Line, Lines, gathered, too_long
from pipeline.ingest.packed import Bound
from pipeline.ingest.rejected import Rejected
from pipeline.ingest.shards import Shard
from pipeline.ingest.storage import fingerprint_of, open_file, reading
from pipeline.ingest.streams import content_of

__all__ = ["check_columns", "read_parquet", "survey_parquet"]

_BATCH = 1 << 20
"""Bytes of rows that are decoded at once, about."""


def survey_parquet(source: Source, shard: Shard, *, part_bytes: int) -> tuple[list[Block], str]:
    """Blocks of whole row groups, about `part_bytes` of them decoded, and the file's fingerprint.

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
        held += decoded_bytes(group)
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

    A row group is decoded page by page, so that memory does not grow with it, and with what one value says.

    Raises:
        InputError: the file cannot be read, or decodes to more than `max_expansion` allows.
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
    for batch in _batches(block):
        for row in _values(batch):
            text = row if isinstance(row, Rejected) else _as_json({**constants, **row})
            length = len(text) if isinstance(text, bytes) else 0
            yield Line(number, text if length <= limit else too_long(length, limit), length)
            number += 1


def _batches(block: Block) -> Iterator[pa.RecordBatch]:
    """The rows of a block, a batch of about `_BATCH` decoded bytes at a time, by what those before it came to.

    Raises:
        InputError: they decode to more than any honest file holds.
    """
    with _file(block.location) as file, _file(block.location, file) as other:
        groups = range(block.offset, block.offset + block.length)
        packed = sum(packed_bytes(file.metadata.row_group(group)) for group in groups)
        bound = Bound(block.location, packed * block.source.max_expansion)
        for group in groups:
            bound.expect(file.metadata.row_group(group).total_byte_size)
            most, size = safe_rows(other, group), 1
            batches = file.iter_batches(batch_size=size, row_groups=[group], use_threads=False)
            for batch in batches:
                held = batch.nbytes
                bound.add(held)
                yield batch
                size = max(1, min(most, 8 * size, _BATCH * batch.num_rows // max(1, held)))
                file.reader.set_batch_size(size)  # of the batches that are still to come


def _values(batch: pa.RecordBatch) -> Iterator[dict[str, Any] | Rejected]:
    """The rows of a batch, as `orjson` takes them."""
    names = batch.schema.names
    nested = any(pa.types.is_nested(field.type) for field in batch.schema)
    columns = [values_of(column) for column in batch.columns]
    for row in zip(*columns, strict=True):
        refused = next((place for place, one in enumerate(row) if isinstance(one, Rejected)), None)
        if refused is not None:
            why = row[refused]
            yield Rejected(why.rule, f"column {names[refused]!r}: {why.reason}")
        else:
            value = dict(zip(names, row, strict=True))
            yield _without_nulls(value) if nested else value


def _as_json(row: dict[str, Any]) -> bytes | Rejected:
    try:
        return orjson.dumps(row)
    except (orjson.JSONEncodeError, TypeError):
        for name, value in row.items():
            try:
                orjson.dumps(value)
            except (orjson.JSONEncodeError, TypeError):
                return Rejected("wrong_type", f"column {name!r}: the value has no form in JSON")
        return Rejected("wrong_type", "a value has no form in JSON")


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
def _file(location: str, like: pq.ParquetFile | None = None) -> Iterator[pq.ParquetFile]:
    """Open a file; `like`, the same already open, leaves values as the dictionaries that they are stored as."""
    with reading(location), open_file(location) as raw:
        try:
            # Without buffers of whole column chunks, which would be as large as the row group.
            options: dict[str, Any] = {"pre_buffer": False, "buffer_size": 1 << 16}
            if like is not None:
                options |= {"metadata": like.metadata, "read_dictionary": byte_arrays(like.metadata)}
            with pq.ParquetFile(raw, **options) as file:
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
