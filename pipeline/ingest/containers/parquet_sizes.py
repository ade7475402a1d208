"""How large rows of Parquet are once decoded: encoded, a value that a thousand rows share is stored once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

__all__ = ["byte_arrays", "decoded_bytes", "packed_bytes", "safe_rows"]

_BATCH_MOST = 16 << 20
"""Bytes that a batch may decode to where every row has the longest value of each dictionary."""
_ROWS_MOST = 8192


def packed_bytes(group: pq.RowGroupMetaData) -> int:
    """Bytes of a row group in the file."""
    return sum(group.column(number).total_compressed_size for number in range(group.num_columns))


def decoded_bytes(group: pq.RowGroupMetaData) -> int:
    """About how many bytes its rows decode to, as far as the footer tells: for planning.

    A column with a dictionary is as large as its values, each taken to be as long as the mean of the least and the
    greatest; without these two, which writers leave out where they are long, as what is encoded.
    """
    total = 0
    for number in range(group.num_columns):
        column = group.column(number)
        encoded = column.total_uncompressed_size
        about = column.statistics if column.is_stats_set else None
        if column.has_dictionary_page and column.physical_type == "BYTE_ARRAY" and about and about.has_min_max:
            lengths = [len(one) for one in (about.min_raw, about.max_raw)]  # bytes, whatever they say
            encoded = max(encoded, column.num_values * sum(lengths) // 2)
        total += encoded
    return total


def byte_arrays(about: pq.FileMetaData) -> list[str]:
    """The paths of the columns whose values have lengths of their own."""
    columns = map(about.schema.column, range(about.num_columns))
    return [one.path for one in columns if one.physical_type == "BYTE_ARRAY" and one.logical_type.type != "DECIMAL"]


def safe_rows(file: pq.ParquetFile, group: int) -> int:
    """The most rows that may be decoded at once, whatever they are: by the longest values of the dictionaries.

    The file must be open so that dictionaries stay what they are. One is a page, read once more here. Of values that
    stand in the pages themselves, no row has more bytes than the pages.
    """
    about, lengthy = file.metadata.row_group(group), set(byte_arrays(file.metadata))
    columns = map(about.column, range(about.num_columns))
    paths = [one.path_in_schema for one in columns if one.has_dictionary_page and one.path_in_schema in lengthy]
    if not paths:
        return _ROWS_MOST
    longest = 0
    for batch in file.iter_batches(batch_size=1, row_groups=[group], columns=paths, use_threads=False):
        longest = sum(_longest(one) for column in batch.columns for one in _dictionaries(column))
        break
    return max(1, min(_ROWS_MOST, _BATCH_MOST // max(1, longest)))


def _dictionaries(array: Any) -> Iterator[pa.Array]:
    """The dictionaries of a column and of what is nested in it."""
    if pa.types.is_dictionary(array.type):
        yield array.dictionary
    elif pa.types.is_struct(array.type):
        for number in range(array.type.num_fields):
            yield from _dictionaries(array.field(number))
    elif pa.types.is_map(array.type):
        yield from _dictionaries(array.keys)
        yield from _dictionaries(array.items)
    elif pa.types.is_nested(array.type):
        yield from _dictionaries(array.values)


def _longest(values: pa.Array) -> int:
    lengths = pc.binary_length(values).drop_null().to_numpy()
    return int(lengths.max()) if len(lengths) else 0
