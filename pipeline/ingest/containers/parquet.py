"""Parquet: row groups, read by as many workers as there are, a few rows at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from itertools import chain
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.config import Source
from pipeline.engines import Engine
from pipeline.errors import InputError, did_you_mean
from pipeline.ingest.blocks import Block
from pipeline.ingest.containers.batch_json import Constants, lines_of_batch
from pipeline.ingest.containers.batch_texts import are_texts, read_texts
from pipeline.ingest.containers.parquet_beside import beside, decodable
from pipeline.ingest.containers.parquet_sizes import byte_arrays, decoded_bytes, packed_bytes, safe_rows
from pipeline.ingest.lines import Lines, gathered, regathered
from pipeline.ingest.packed import Bound
from pipeline.ingest.shards import Shard
from pipeline.ingest.storage import fingerprint_of, open_file, reading
from pipeline.ingest.streams import content_of

__all__ = ["check_columns", "read_parquet", "read_parquet_texts", "survey_parquet"]

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
    return _lines(block, _numbered(block, _batches(block)), max_row_bytes)


def read_parquet_texts(
    block: Block, keys: Sequence[str], engine: Engine | None, *, max_row_bytes: int
) -> Iterator[Lines]:
    """The same rows; where their texts are columns of the file, no JSON is made of these.

    Args:
        block: of the file.
        keys: under which the texts of every row stand.
        engine: that may decode columns, where there is one.
        max_row_bytes: as of `read_parquet`.

    Raises:
        InputError: as of `read_parquet`.
    """
    batches = _numbered(block, _batches(block, keys, engine))
    first = next(batches, None)
    if first is None:
        return
    columnar = are_texts(first[1].schema, keys)
    batches = chain(iter([first]), batches)  # an iterator lets go of its list when it is through: it may be large
    del first
    if not columnar:
        yield from _lines(block, batches, max_row_bytes)
        return
    constants = _constants(block)
    read = (read_texts(batch, number, keys, constants, max_row_bytes, engine) for number, batch in batches)
    yield from regathered(read) if engine is None else read  # whose copies of columns are best left whole


def _lines(block: Block, batches: Iterator[tuple[int, pa.RecordBatch]], limit: int) -> Iterator[Lines]:
    constants = _constants(block)
    return gathered(line for number, batch in batches for line in lines_of_batch(batch, number, constants, limit))


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


def _constants(block: Block) -> Constants:
    return {key: orjson.Fragment(value) for key, value in block.constants}


def _numbered(block: Block, batches: Iterator[pa.RecordBatch]) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Batches, and the number of the first row of each."""
    number = block.first_row
    for batch in batches:
        yield number, batch
        number += batch.num_rows


def _batches(block: Block, keys: Sequence[str] = (), engine: Engine | None = None) -> Iterator[pa.RecordBatch]:
    """The rows of a block, a batch of about `_BATCH` decoded bytes at a time.

    Args:
        block: of the file.
        keys: names of columns of text that an engine may decode, as far as it does.
        engine: as above.

    Raises:
        InputError: they decode to more than any honest file holds.
    """
    with _file(block.location) as file, _file(block.location, file) as other:
        groups = range(block.offset, block.offset + block.length)
        packed = sum(packed_bytes(file.metadata.row_group(group)) for group in groups)
        bound = Bound(block.location, packed * block.source.max_expansion)
        for group in groups:
            bound.expect(file.metadata.row_group(group).total_byte_size)
            rows, done = file.metadata.row_group(group).num_rows, 0
            if engine is not None and decodable(file, group, keys, block.location):
                tried = copy(bound)  # what is decoded here once more, as it was not all decoded there, counts once
                decoded = engine.decode_parquet(block.location, group, keys)
                others = [name for name in file.schema_arrow.names if name not in keys]
                for batch in beside(decoded, file.schema_arrow.names, _decoded(file, other, group, tried, others)):
                    tried.add(sum(batch.column(key).nbytes for key in set(keys)))
                    done += batch.num_rows
                    if done > rows:
                        raise pa.ArrowInvalid("more rows were decoded than it holds")
                    yield batch
                if done == rows:
                    bound = tried
            if done < rows:
                yield from _from(done, _decoded(file, other, group, bound))


def _decoded(
    file: pq.ParquetFile, other: pq.ParquetFile, group: int, bound: Bound, columns: Sequence[str] | None = None
) -> Iterator[pa.RecordBatch]:
    """The rows of a row group, or some columns of them, a batch at a time, by what those before it came to."""
    most, size = safe_rows(other, group), 1
    held: list[pa.RecordBatch] = []
    for batch in file.iter_batches(batch_size=size, row_groups=[group], columns=columns, use_threads=False):
        bound.add(batch.nbytes)
        if held and sum(one.num_rows for one in held) + batch.num_rows > most:  # whose bytes may be shared, or none
            yield _joined(held)
            held = []
        held.append(batch)
        if sum(one.nbytes for one in held) >= _BATCH // 2:
            yield _joined(held)
            held = []
        size = max(1, min(most, 8 * size, _BATCH * batch.num_rows // max(1, batch.nbytes)))
        file.reader.set_batch_size(size)  # of the batches that are still to come
    if held:
        yield _joined(held)


def _joined(batches: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    return batches[0] if len(batches) == 1 else pa.concat_batches(batches)


def _from(row: int, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """What batches hold from a row on."""
    for batch in batches:
        if batch.num_rows > row:
            yield batch.slice(row)
        row = max(0, row - batch.num_rows)


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
