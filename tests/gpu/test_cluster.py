"""On devices: a cluster of GPU workers curates as CPU workers do, spills, outlives a worker, and lets go."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.cluster import dask_client, run_parts
from pipeline.config import Cluster
from pipeline.engines import cpu
from pipeline.recipe import load_recipe
from pipeline.run import RunDirectory
from pipeline.stages import run_stage
from tests.conftest import TINY

pytestmark = pytest.mark.usefixtures("whole_stack")

TEXTS = pa.array([f"text {number} " * number for number in range(200)], pa.large_string())


def test_curation_gives_the_same_rows_and_values(tmp_path: Path) -> None:
    tables = []
    for device in ("cpu", "cuda"):
        recipe = load_recipe(TINY, [f"run={tmp_path / device}", f"device={device}"])
        run_stage("curate", RunDirectory.open(recipe), recipe)
        files = sorted((tmp_path / device).glob("*/**/*.parquet"))
        tables.append({path.relative_to(tmp_path / device): pq.read_table(path) for path in files})
    assert tables[0].keys() == tables[1].keys()
    assert [path for path in tables[0] if not tables[0][path].equals(tables[1][path])] == []


def _spills(_: int) -> bool:
    import cudf

    return bool(cudf.get_option("spill"))


def _dies_once(marker: str) -> bytes:
    from pipeline.engines import cuda

    digests = cuda.digest(TEXTS).tobytes()
    if not Path(marker).exists():
        Path(marker).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return digests


def test_workers_spill_and_a_killed_one_is_replaced(tmp_path: Path) -> None:
    with dask_client(Cluster(kind="cuda", workers=1, pool=0.3), gpus=True) as client:
        assert run_parts(client, _spills, [0], stage="spill") == [True]
        found = run_parts(client, _dies_once, [str(tmp_path / "died")], stage="killed")
    assert found == [cpu.digest(TEXTS).tobytes()]


def test_the_pool_is_given_back(tmp_path: Path) -> None:
    import pynvml

    pynvml.nvmlInit()
    gpu = pynvml.nvmlDeviceGetHandleByIndex(0)
    before = pynvml.nvmlDeviceGetMemoryInfo(gpu).used
    with dask_client(Cluster(kind="cuda", workers=1, pool=0.3), gpus=True) as client:
        run_parts(client, _spills, [0], stage="pool")
        assert pynvml.nvmlDeviceGetMemoryInfo(gpu).used > before + (1 << 30)
    assert pynvml.nvmlDeviceGetMemoryInfo(gpu).used < before + (1 << 30)
