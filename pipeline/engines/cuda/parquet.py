"""Columns of strings of Parquet, decoded on the device by cuDF."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import util
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.engines.cuda.columns import from_cudf
from pipeline.engines.cuda.launch import Gpu

if TYPE_CHECKING:
    import cudf

__all__ = ["decoded"]

_AT_ONCE = 64 << 20
"""Bytes of decoded rows that cuDF gives at once, about: never less than a row."""

_UNPACKED = 256 << 20
"""Bytes of device memory for pages as they are unpacked and decoded, about."""

_ERRORS = (ArithmeticError, IndexError, MemoryError, OSError, RuntimeError, TypeError, ValueError)
"""What libcudf's errors become in Python (pylibcudf's `exception_handler.pxd`)."""


def decoded(path: str, group: int, columns: Sequence[str], gpu: Gpu) -> Iterator[dict[str, pa.LargeStringArray]]:
    """Decode columns of a row group, some rows at a time; each is copied to the host, and its bytes stay on the device.

    Where cuDF cannot go on, whatever error it raises, no more rows come, and that is counted among what is left to the
    host: whoever asked decodes the others, and finds out whether the file is damaged.

    Args:
        path: Of a local file.
        group: Number of the row group.
        columns: Names of columns of strings at the top of the schema; they may hold nulls.
        gpu: That keeps the device's bytes beside the host's.
    """
    pieces, done = series_of_parquet(path, group, columns), 0
    while True:
        try:
            piece = next(pieces, None)
            texts = {} if piece is None else {name: from_cudf(one, gpu, nulls=True) for name, one in piece.items()}
        except _ERRORS:
            rows = pq.read_metadata(path).row_group(group).num_rows
            gpu.leave("Parquet that cuDF does not decode", rows - done)
            return
        if not texts:
            return
        if rows := len(texts[columns[0]]):
            done += rows
            yield texts


def series_of_parquet(path: str, group: int, columns: Sequence[str]) -> Iterator[dict[str, cudf.Series]]:
    """The columns as those of cuDF, about `_AT_ONCE` bytes of them at a time; none where it is not installed."""
    if util.find_spec("cudf") is None:
        return
    import cudf
    import pylibcudf as plc

    options = (
        plc.io.parquet.ParquetReaderOptions.builder(plc.io.SourceInfo([path]))
        .use_pandas_metadata(False)  # else the columns of an index come too
        .column_names(list(dict.fromkeys(columns)))
        .build()
    )
    options.set_row_groups([[group]])
    reader = plc.io.parquet.ChunkedParquetReader(options, chunk_read_limit=_AT_ONCE, pass_read_limit=_UNPACKED)
    while reader.has_next():
        read = reader.read_chunk()
        names = read.column_names(include_children=False)
        yield {name: cudf.Series.from_pylibcudf(one) for name, one in zip(names, read.tbl.columns(), strict=True)}
