"""Texts of Parquet that an engine decodes, and the other columns, decoded here, beside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.ingest.storage import is_remote

__all__ = ["beside", "decodable"]

_CODECS = ("UNCOMPRESSED", "SNAPPY", "GZIP", "BROTLI", "ZSTD")
_ENCODINGS = ("PLAIN", "PLAIN_DICTIONARY", "RLE_DICTIONARY", "RLE", "BIT_PACKED", "DELTA_LENGTH_BYTE_ARRAY")


def decodable(file: pq.ParquetFile, group: int, keys: Sequence[str], location: str) -> bool:
    """Whether an engine may be asked for the columns under some keys: strings of a local file, packed as most are."""
    names = file.schema_arrow.names
    if is_remote(location) or len(set(names)) < len(names) or any("." in name for name in names):
        return False  # a dot is also what is put between the names of nested columns
    about = file.metadata.row_group(group)
    columns = {one.path_in_schema: one for one in map(about.column, range(about.num_columns))}
    return all(
        key in columns
        and columns[key].compression in _CODECS
        and set(columns[key].encodings) <= {*_ENCODINGS}
        and file.schema_arrow.field(key).type in (pa.string(), pa.large_string())
        for key in keys
    )


def beside(
    decoded: Iterator[dict[str, pa.Array]], names: Sequence[str], others: Iterator[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """Rows put together of columns that come in pieces of different lengths; no column is copied.

    Args:
        decoded: some columns of the first rows, or of all; pieces of at least one row.
        names: of all columns, in their order.
        others: batches of the other columns, of all rows.

    Raises:
        ArrowInvalid: there are more rows of some columns than of the others.
    """
    rest: pa.RecordBatch | None = None
    for texts in decoded:
        rows = len(next(iter(texts.values())))
        at = 0
        while at < rows:
            count, columns = rows - at, {}
            if len(texts) < len(names):
                rest = rest if rest is not None and rest.num_rows else next(others, None)
                if rest is None:
                    raise pa.ArrowInvalid("its columns differ in length")
                count = min(count, rest.num_rows)
                columns = dict(zip(rest.schema.names, rest.slice(0, count).columns, strict=True))
                rest = rest.slice(count)
            columns |= {name: one.slice(at, count) for name, one in texts.items()}
            yield pa.RecordBatch.from_arrays([columns[name] for name in names], names=list(names))
            at += count
