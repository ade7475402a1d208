"""What is called of cuDF, pylibcudf and what brings them to Dask has these signatures; they import without a GPU."""

from __future__ import annotations

import inspect
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.cluster import gpu_options
from pipeline.config import Cluster

os.environ.setdefault("RAPIDS_NO_INITIALIZE", "1")  # as dask-cuda sets it for itself: importing is not for computing


def test_series_go_to_pylibcudf_and_come_back() -> None:
    cudf = pytest.importorskip("cudf", reason="cudf is not installed (pip install 'curate-and-train[gpu]')")
    plc = pytest.importorskip("pylibcudf", reason="pylibcudf is not installed")
    assert cudf.__version__.startswith("26.10.")
    assert list(inspect.signature(cudf.Series.to_pylibcudf).parameters) == ["self"]
    assert next(iter(inspect.signature(cudf.Series.from_pylibcudf).parameters)) == "col"
    assert {"from_arrow", "to_arrow"} <= set(dir(cudf.Series))
    assert {"data", "offset"} <= set(dir(plc.Column))
    order = "DataType data_type, size_type size, data: Span | None, mask: Span | None, size_type null_count, size_type"
    assert f"{order} offset, children: Iterable[Column]" in plc.Column.__doc__
    assert "__cuda_array_interface__" in dir(plc.gpumemoryview)
    for kind in ("STRING", "INT32", "INT64"):
        assert isinstance(plc.DataType(getattr(plc.TypeId, kind)), plc.DataType)


def test_parquet_is_decoded_in_pieces(tmp_path: Path) -> None:
    plc = pytest.importorskip("pylibcudf", reason="pylibcudf is not installed")
    reader = plc.io.parquet.ChunkedParquetReader
    assert "size_t chunk_read_limit=0, size_t pass_read_limit=" in reader.__doc__
    assert reader.__doc__.startswith("ChunkedParquetReader(ParquetReaderOptions options,")
    assert list(inspect.signature(reader.has_next).parameters) == ["self"]
    assert list(inspect.signature(reader.read_chunk).parameters) == ["self", "mr"]
    assert {"tbl", "column_names"} <= set(dir(plc.io.types.TableWithMetadata))
    assert list(inspect.signature(plc.io.types.TableWithMetadata.column_names).parameters) == [
        "self",
        "include_children",
    ]
    assert callable(plc.Table.columns)
    # Options hold no device memory: they are made here as they are made there.
    pq.write_table(pa.table({"text": ["some words"]}), tmp_path / "rows.parquet")
    options = (
        plc.io.parquet.ParquetReaderOptions.builder(plc.io.SourceInfo([str(tmp_path / "rows.parquet")]))
        .use_pandas_metadata(False)
        .column_names(["text"])
        .build()
    )
    options.set_row_groups([[0]])


def test_without_a_device_parquet_is_left_to_the_host(tmp_path: Path) -> None:
    pytest.importorskip("cudf", reason="cudf is not installed (pip install 'curate-and-train[gpu]')")
    from pipeline.engines import cuda

    pq.write_table(pa.table({"text": ["some words", None]}), tmp_path / "rows.parquet")
    decoded = [one["text"].to_pylist() for one in cuda.decode_parquet(str(tmp_path / "rows.parquet"), 0, ["text"])]
    left = cuda.left_to_host().get("Parquet that cuDF does not decode")
    assert (decoded, left) in (([], 2), ([["some words", None]], None))  # the latter with a device


def test_string_operations_of_the_benchmark() -> None:
    pytest.importorskip("cudf", reason="cudf is not installed (pip install 'curate-and-train[gpu]')")
    from cudf.core.accessors.string import StringMethods

    assert list(inspect.signature(StringMethods.minhash).parameters) == ["self", "seed", "a", "b", "width"]
    assert {"len", "byte_count", "token_count", "count"} <= set(dir(StringMethods))


def test_frames_have_what_key_tables_and_labels_call() -> None:
    cudf = pytest.importorskip("cudf", reason="cudf is not installed (pip install 'curate-and-train[gpu]')")

    def takes(function: Any, *names: str) -> bool:
        return {*names} <= set(inspect.signature(function).parameters)

    assert takes(cudf.DataFrame.duplicated, "subset", "keep")
    assert takes(cudf.DataFrame.sort_values, "by")
    assert takes(cudf.DataFrame.drop_duplicates, "ignore_index")
    assert takes(cudf.DataFrame.groupby, "by", "sort")
    assert takes(cudf.Series.take, "indices")
    assert takes(cudf.Series.where, "cond", "other")
    assert takes(cudf.Series.reset_index, "drop")
    assert takes(cudf.Series.to_numpy)
    assert takes(cudf.Series.all)
    assert {"iloc", "values", "copy", "__eq__", "__ne__", "__gt__"} <= set(dir(cudf.Series))
    assert takes(cudf.DataFrame.reset_index, "drop")
    assert {"min", "max"} <= set(dir(cudf.core.groupby.groupby.SeriesGroupBy))


def test_dask_shuffles_frames_of_cudf_as_it_does_those_of_pandas() -> None:
    pytest.importorskip("dask_cudf", reason="dask-cudf is not installed")
    import cudf
    from dask.dataframe.dispatch import concat_dispatch, group_split_dispatch, hash_object_dispatch

    for dispatch in (concat_dispatch, group_split_dispatch, hash_object_dispatch):
        assert dispatch.dispatch(cudf.DataFrame).__module__.startswith("dask_cudf")
    assert {"map_index", "map_size", "keep_index"} <= set(inspect.signature(cudf.DataFrame.scatter_by_map).parameters)


def test_a_cluster_takes_what_it_is_given() -> None:
    dask_cuda = pytest.importorskip("dask_cuda", reason="dask-cuda is not installed")
    known = inspect.signature(dask_cuda.LocalCUDACluster.__init__).parameters
    assert {*gpu_options(Cluster()), "threads_per_worker"} <= set(known)
