"""What is called of cuDF, pylibcudf and dask-cuda exists with these signatures; they import where there is no GPU."""

from __future__ import annotations

import inspect
import os

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


def test_a_cluster_takes_what_it_is_given() -> None:
    dask_cuda = pytest.importorskip("dask_cuda", reason="dask-cuda is not installed")
    known = inspect.signature(dask_cuda.LocalCUDACluster.__init__).parameters
    assert {*gpu_options(Cluster()), "threads_per_worker"} <= set(known)
