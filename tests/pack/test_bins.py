"""The reader of bins: any bin at once over files and batches, and clear refusals."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipeline.errors import RunDirectoryError
from pipeline.pack.bins import Bins
from pipeline.schema import BINS

MANY = [
    {
        "tokens": list(range(n, 3 * n + 2)),
        "loss": [number % 3 == 0 for number in range(2 * n + 2)],
        "starts": [0, n + 1],
        "rows": [f"s/{n}", f"s/{n}b"],
    }
    for n in range(20)
]


def write(path: Path, bins: list[dict[str, object]], batch: int) -> None:
    with pa.ipc.new_file(path, BINS) as writer:
        for first in range(0, len(bins), batch):
            writer.write_batch(pa.RecordBatch.from_pylist(bins[first : first + batch], schema=BINS))


def test_every_bin_comes_back_from_several_files(tmp_path: Path) -> None:
    write(tmp_path / "bins-00000.arrow", MANY[:9], 4)
    write(tmp_path / "bins-00001.arrow", [], 1)
    write(tmp_path / "bins-00002.arrow", MANY[9:], 100)
    bins = Bins.open(tmp_path)
    assert len(bins) == len(MANY)
    for index in np.random.default_rng(0).permutation(len(MANY)):
        tokens, loss, starts, rows = bins.get(int(index))
        assert (tokens.dtype, loss.dtype, starts.dtype) == (np.uint32, np.bool_, np.uint32)
        assert {
            "tokens": tokens.tolist(),
            "loss": loss.tolist(),
            "starts": starts.tolist(),
            "rows": rows,
        } == MANY[index]
    for index in (-1, len(MANY)):
        with pytest.raises(IndexError):
            bins.get(index)


def test_a_split_may_hold_no_bins(tmp_path: Path) -> None:
    write(tmp_path / "bins-00000.arrow", [], 1)
    assert len(Bins.open(tmp_path)) == 0


def test_the_fingerprint_follows_the_content(tmp_path: Path) -> None:
    for name, bins in {"a": MANY[:3], "b": MANY[:3], "c": MANY[1:4]}.items():
        (tmp_path / name).mkdir()
        write(tmp_path / name / "bins-00000.arrow", bins, 2)
    a, b, c = (Bins.open(tmp_path / name).fingerprint for name in "abc")
    assert a == b != c


def test_what_are_no_bins_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunDirectoryError, match="no bins here"):
        Bins.open(tmp_path)
    (tmp_path / "bins-00000.arrow").write_bytes(b"ARROW1 and then nothing")
    with pytest.raises(RunDirectoryError, match="damaged"):
        Bins.open(tmp_path)
    with pa.ipc.new_file(tmp_path / "bins-00000.arrow", pa.schema([("x", pa.int8())])):
        pass
    with pytest.raises(RunDirectoryError, match="does not hold bins"):
        Bins.open(tmp_path)


def test_reading_needs_neither_dask_nor_transformers_nor_torch() -> None:
    code = (
        "import sys, pipeline.pack.bins; "
        "print([name for name in ('dask', 'distributed', 'transformers', 'tokenizers', 'torch', 'numba') "
        "if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    assert shown.stdout.strip() == "[]"
