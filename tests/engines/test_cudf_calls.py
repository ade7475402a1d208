"""What is called of cuDF, pylibcudf and what brings them to Dask has these signatures; they import without a GPU."""

from __future__ import annotations

import inspect
import os
from typing import Any

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
