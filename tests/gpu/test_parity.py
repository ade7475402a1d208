"""On a device: the CPU engine's bits, on hostile rows and on real text, within bounds of memory."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.config import Clean, Source
from pipeline.curate.slices import curate_slice
from pipeline.engines import ENTITIES, Engine, cpu
from pipeline.ingest import read_slices, survey
from tests.engines.a_slice import BACK, THERE, noted, recipe, slice_of_rows
from tests.engines.operations import OPERATIONS, flat, results

DATA = Path(__file__).parents[3] / "shared" / "data"
MEGABYTES = 20


@pytest.fixture
def cuda() -> Iterator[Any]:
    from pipeline.engines import cuda
    from pipeline.engines.cuda.launch import Gpu

    whole, cuda.GPU = cuda.GPU, Gpu()
    yield cuda
    cuda.GPU = whole


@pytest.fixture(scope="module")
def texts() -> pa.LargeStringArray:
    """Prose, code reviews, chats and tables as they are found: the string values of the data's JSON lines."""
    files = sorted([*DATA.glob("*/*.jsonl.gz"), *DATA.glob("*/*.jsonl")])
    if not files:
        pytest.skip(f"no data at {DATA}")
    found: list[str] = []
    for path in files:
        size = 0
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
            for line in lines:
                found += [value for value in _strings(json.loads(line)) if "\ud800" not in value]
                size += len(line)
                if size > MEGABYTES * 1e6 / len(files):
                    break
    return pa.array([text.encode("utf-8", "replace").decode() for text in found], pa.large_string())


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _strings(one)


def test_every_operation_gives_the_bits_of_the_cpu_engine(cuda: Any) -> None:
    here, there = results(cpu), results(cuda)
    assert [name for name in OPERATIONS if there[name] != here[name]] == []


def everything(engine: Engine, texts: pa.LargeStringArray) -> Iterator[tuple[str, Any]]:
    for kind, cleaners in Clean().model_dump().items():
        yield f"clean {kind}", engine.clean(texts, cleaners)
    yield "signals", engine.signals(texts, (np.arange(len(texts)) % 5 - 1).astype(np.int8))
    yield "redact", engine.redact(texts, ENTITIES)
    normal = engine.normalise(texts)
    yield "normalise", normal
    yield "digest", engine.digest(normal, normalised=True)
    yield "sketch", engine.sketch(normal)
    yield "n-grams", engine.hash_ngrams(texts, 8)


def test_real_text_comes_out_the_same(cuda: Any, texts: pa.LargeStringArray) -> None:
    for (name, here), (_, there) in zip(everything(cpu, texts), everything(cuda, texts), strict=True):
        assert list(flat(here)) == list(flat(there)), name
    assert cuda.left_to_host()["normal forms"] < 3 * len(texts)


def test_text_is_copied_to_the_device_once_and_only_what_changed_comes_back(
    cuda: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from numba.cuda.cudadrv.devicearray import DeviceNDArray

    from pipeline.engines.cuda import mirrors

    there: list[int] = []
    back: list[int] = []
    expected = curate_slice(slice_of_rows(), recipe(), cpu, {})
    monkeypatch.setattr(mirrors, "_SMALL", 1)  # the rows are few
    monkeypatch.setattr(DeviceNDArray, "copy_to_device", noted(DeviceNDArray.copy_to_device, 1, there))
    monkeypatch.setattr(DeviceNDArray, "copy_to_host", noted(DeviceNDArray.copy_to_host, 0, back))
    done = curate_slice(slice_of_rows(), recipe(), cuda, {})
    assert (sorted(there), sorted(back)) == (sorted(THERE), sorted(BACK))
    for one, other in ((done.kept, expected.kept), (done.keys, expected.keys)):
        assert repr(one.to_pylist()) == repr(other.to_pylist())  # NaN is NaN


def test_lines_are_read_on_the_device_as_on_the_cpu(cuda: Any, texts: pa.LargeStringArray, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    lines = [json.dumps({"text": text, "n": len(text)}, ensure_ascii=len(text) % 2 == 0) for text in texts.to_pylist()]
    path.write_text("\n".join([*lines, '{"text": 7}', '{"text": "twice", "text": "told"}']), encoding="utf-8")
    source = Source(name="s", kind="text", format="text", path=str(path))
    blocks = survey(source, part_bytes=1 << 30).blocks
    bounds = {"max_row_bytes": 1 << 26, "slice_bytes": 1 << 30}
    (here,), (there,) = (list(read_slices(blocks, **bounds, engine=engine)) for engine in (cpu, cuda))
    assert there.rows.equals(here.rows)
    assert there.rejected.equals(here.rejected)


def test_texts_of_parquet_are_decoded_on_the_device_as_on_the_cpu(
    cuda: Any, texts: pa.LargeStringArray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pylibcudf", reason="pylibcudf is not installed (pip install 'curate-and-train[gpu]')")
    from pipeline.engines.columns import from_arrow
    from pipeline.engines.cuda import parquet

    monkeypatch.setattr(parquet, "_AT_ONCE", 1 << 20)  # in many pieces
    values = [None if place % 97 == 0 else text for place, text in enumerate(texts.to_pylist())]
    table = pa.table({"n": range(len(values)), "text": values, "more": [[place] for place in range(len(values))]})
    bounds = {"max_row_bytes": 1 << 26, "slice_bytes": 1 << 30}
    for number, options in enumerate(({}, {"compression": "zstd", "use_dictionary": False}, {"compression": "lz4"})):
        path = tmp_path / f"{number}.parquet"
        pq.write_table(table, path, row_group_size=len(values) // 3, **options)
        source = Source(name="s", kind="text", format="text", path=str(path), skip_invalid=True)
        blocks = survey(source, part_bytes=1 << 30).blocks
        (here,), (there,) = (list(read_slices(blocks, **bounds, engine=engine)) for engine in (cpu, cuda))
        assert there.rows.equals(here.rows)
        assert there.rejected.equals(here.rejected)
        assert there.bytes_in == here.bytes_in
        contents = from_arrow(there.rows["messages"].combine_chunks().flatten().field("content"))
        copy = cuda.GPU.mirrors.find(contents.buffer)
        assert (copy is None) == (options.get("compression") == "lz4")  # which is left to Arrow
        assert copy is None or np.array_equal(copy.copy_to_host(), contents.buffer)
    assert "Parquet that cuDF does not decode" not in cuda.left_to_host()


def test_scratch_and_copies_stay_within_their_bytes(cuda: Any, texts: pa.LargeStringArray) -> None:
    from numba import cuda as device

    from pipeline.engines.cuda.launch import Gpu

    expected = list(flat(cpu.signals(texts)))
    cuda.signals(texts)  # the kernel is compiled, and its code is on the device
    cuda.GPU = Gpu(scratch=64 << 20, kept=8 << 20)
    before = device.current_context().get_memory_info().free
    assert list(flat(cuda.signals(texts))) == expected
    device.current_context().deallocations.clear()
    used = before - device.current_context().get_memory_info().free
    assert used <= 64 << 20
