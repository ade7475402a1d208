"""On a device: cuDF's text columns through the engine, without their bytes being copied there again."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from pipeline.engines import cpu, cuda
from pipeline.engines.columns import from_arrow
from pipeline.engines.cuda.columns import from_cudf, to_cudf
from tests.engines.operations import TEXTS

cudf = pytest.importorskip("cudf", reason="cudf is not installed (pip install 'curate-and-train[gpu]')")
LONG = [*TEXTS, "long " * 4000]


def test_there_and_back() -> None:
    series = cudf.Series(LONG)
    texts = from_cudf(series, cuda.GPU)
    assert texts.to_pylist() == LONG
    assert cuda.GPU.mirrors.find(from_arrow(texts).buffer) is not None
    assert np.array_equal(cuda.digest(texts), cpu.digest(texts))
    assert to_cudf(texts, cuda.GPU).to_arrow().to_pylist() == LONG
    assert to_cudf(texts[2:9], cuda.GPU).to_arrow().to_pylist() == LONG[2:9]
    assert from_cudf(series[3:7], cuda.GPU).to_pylist() == LONG[3:7]


def test_what_holds_nothing_and_what_holds_a_null() -> None:
    assert to_cudf(pa.array(["", ""], pa.large_string()), cuda.GPU).to_arrow().to_pylist() == ["", ""]
    with pytest.raises(ValueError, match="1 of 2 texts are null"):
        from_cudf(cudf.Series(["a", None]), cuda.GPU)
