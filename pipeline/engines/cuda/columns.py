"""Text columns of cuDF into the engine and out of it; their bytes stay where they are in the device's memory.

The engine's columns are Arrow's, since libraries of the host read them, with a copy of their bytes on the device. So a
column of cuDF is copied to the host once and never back, and a column that the engine made becomes one of cuDF without
its bytes being copied at all; only its bounds, eight bytes a row, are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numba import cuda

from pipeline.engines.columns import from_arrow, without_nulls
from pipeline.engines.cuda.launch import Gpu

if TYPE_CHECKING:
    import cudf

__all__ = ["MOST_ROWS", "from_cudf", "to_cudf"]

MOST_ROWS = 2**31 - 1
"""Of a column of cuDF, whose size is an int32."""

_MOST_NARROW = 2**31 - 1
"""Bytes up to which cuDF's bounds are int32; a longer column has int64."""


class _Bytes:
    """The bytes of a column of cuDF, as Numba takes them; keeps the column alive."""

    def __init__(self, owner: Any, span: Any) -> None:
        self._owner = owner
        place = (span.ptr, False)
        self.__cuda_array_interface__ = {"shape": (span.size,), "typestr": "|u1", "data": place, "version": 3}


def from_cudf(series: cudf.Series, gpu: Gpu, *, nulls: bool = False) -> pa.LargeStringArray:
    """Return a text column of the engine; a slice of a column is copied to the device again when it is first read.

    Args:
        series: n texts.
        gpu: That keeps the device's bytes beside the host's.
        nulls: Some may be null, and are in the column too.

    Raises:
        TypeError: It is no column of texts.
        ValueError: It holds a null.
    """
    column, _ = series.to_pylibcudf()
    texts = series.to_arrow().cast(pa.large_string())
    here = from_arrow(without_nulls(texts) if nulls else texts)
    data = column.data()
    if data is not None and column.offset() == 0 and here.bounds[0] == 0 and here.buffer.nbytes == data.size:
        gpu.mirrors.keep(here.buffer, cuda.as_cuda_array(_Bytes(column, data)))
    return texts


def to_cudf(texts: pa.LargeStringArray, gpu: Gpu) -> cudf.Series:
    """Return a text column as one of cuDF.

    Args:
        texts: n texts.
        gpu: That has their bytes, or gets them.

    Raises:
        ValueError: There are more rows than a column of cuDF can have.
    """
    import cudf
    import pylibcudf as plc

    column = from_arrow(texts)
    if column.rows > MOST_ROWS:
        raise ValueError(f"{column.rows} texts are more than a column of cuDF can have ({MOST_ROWS}): take slices")
    first, last = int(column.bounds[0]), int(column.bounds[-1])
    if first == last:
        return cudf.Series.from_arrow(texts)
    narrow = last - first <= _MOST_NARROW
    bounds = (column.bounds - first).astype(np.int32 if narrow else np.int64)
    kind = plc.DataType(plc.TypeId.INT32 if narrow else plc.TypeId.INT64)
    places = plc.Column(kind, len(bounds), plc.gpumemoryview(cuda.to_device(bounds)), None, 0, 0, [])
    data = plc.gpumemoryview(gpu.copy_of(column.buffer)[first:last])
    return cudf.Series.from_pylibcudf(
        plc.Column(plc.DataType(plc.TypeId.STRING), column.rows, data, None, 0, 0, [places])
    )
