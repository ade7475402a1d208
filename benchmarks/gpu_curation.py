"""How fast the CUDA engine is, beside a bare copy on the device, cuDF's own string operations, and the CPU engine.

    python benchmarks/gpu_curation.py [MEGABYTES [MEGABYTES_OF_THE_STAGE]]

It takes a driver, a device and numba-cuda. What takes cuDF or dask-cuda too is left out, and said so, where they are
not there. Texts are the modules of the running interpreter's standard library (and prose, where it is), repeated with
other lines in front. Each operation runs once to compile its kernels, then takes the best of three:

- `kernels`: only the time in which the device runs kernels, as bytes of text a second;
- `engine`: the whole operation, host libraries and copies of results included. The text is on the device from the first
  call on, as it is in a run after the first operation.
"""

from __future__ import annotations

import itertools
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.json as pj
import pyarrow.parquet as pq
from gpu_duplicates import duplicates
from numba import cuda as device
from texts import best_of, changed_texts, write_rows

from pipeline.config import Clean, Recipe
from pipeline.engines import ENTITIES, Engine, cpu, cuda
from pipeline.engines.cuda import schedule
from pipeline.engines.cuda.launch import Gpu
from pipeline.gpus import needs

K = 128
"""Values of a sketch, and permutations of cuDF's MinHash."""


class Timed(Gpu):
    """The GPU, and how long its kernels ran."""

    seconds = 0.0

    def _launch(self, *arguments: Any) -> None:
        begin = time.perf_counter()
        super()._launch(*arguments)  # waits for the kernels
        self.seconds += time.perf_counter() - begin


def main(megabytes: float = 256.0, of_the_stage: float = 256.0) -> None:
    about()
    texts = pa.array(list(changed_texts(megabytes)), pa.large_string())
    print(f"{len(texts)} texts, {texts.nbytes / 1e6:.1f} MB")
    kernels(texts)
    one_book(texts)
    beside_cudf(texts)
    if cudf_is_there("duplicates"):
        duplicates()
    whole_stage(of_the_stage)


def about() -> None:
    print("date:", time.strftime("%Y-%m-%d"))
    for package in ("numba", "numba-cuda", "cudf-cu13", "dask-cuda", "pyarrow"):
        try:
            print(f"{package}: {version(package)}")
        except PackageNotFoundError:
            print(f"{package}: not installed")
    print("device:", getattr(device.get_current_device(), "name", "simulated"))


def operations(engine: Engine, texts: pa.LargeStringArray) -> list[tuple[str, Callable[[], object]]]:
    normal = cpu.normalise(texts)
    return [
        ("clean: text", lambda: engine.clean(texts, Clean().text)),
        ("signals", lambda: engine.signals(texts)),
        ("redact", lambda: engine.redact(texts, ENTITIES)),
        ("normalise", lambda: engine.normalise(texts)),
        ("digest", lambda: engine.digest(normal, normalised=True)),
        ("sketch", lambda: engine.sketch(normal, values=K)),
    ]


def kernels(texts: pa.LargeStringArray) -> None:
    cuda.GPU = gpu = Timed()
    size: float = texts.nbytes / 1e9
    copy = size / copy_seconds(texts.nbytes)
    print(f"\ndevice-to-device copy: {copy:.1f} GB/s of text")
    print(f"{'operation':<14}{'compile s':>10}{'kernels GB/s':>14}{'x copy':>8}{'engine GB/s':>13}{'CPU GB/s':>10}")
    both = 0.0
    for (name, here), (_, there) in zip(operations(cpu, texts), operations(cuda, texts), strict=True):
        begin = time.perf_counter()
        there()
        first = time.perf_counter() - begin
        took = []
        for _ in range(3):
            gpu.seconds = 0.0
            there()
            took.append(gpu.seconds)
        whole, on_cpu = best_of(3, there), best_of(1, here)
        both += min(took) if name in ("signals", "sketch") else 0.0
        rate = size / min(took)
        print(
            f"{name:<14}{first - whole:>10.1f}{rate:>14.2f}{copy / rate:>8.1f}{size / whole:>13.3f}"
            f"{size / on_cpu:>10.3f}"
        )
    print(f"signals + sketch: {size / both:.2f} GB/s (target: 10)")
    print("left to the host, in all runs:", cuda.left_to_host())


def one_book(texts: pa.LargeStringArray, share: int = 8) -> None:
    """Tweets, and a book that is one of so many parts of all bytes: its sketch by a thread, a core, by segments.

    Where the book is left to the processor, the kernels' time has none of it, and only the engine's speed compares.
    """
    pieces = cpu.normalise(texts).to_pylist()
    text = " ".join(pieces)
    book = len(text) // share
    tweets = [text[at : at + 200] for at in range(book, len(text), 200)]
    rows = pa.array([*tweets, text[:book]], pa.large_string())
    expected = cpu.sketch(rows, values=K)
    whole = schedule.LONG, schedule.SEGMENT
    never = 1 << 62
    print(f"\nsketches of {len(tweets)} tweets and a book of {book / 1e6:.1f} MB")
    print(f"{'the book':<30}{'kernels GB/s':>14}{'engine GB/s':>13}")
    for name, bounds in (
        ("by one thread", (never, never)),
        ("left to the processor", (whole[0], never)),
        (f"by segments of {whole[1]} bytes", whole),
    ):
        schedule.LONG, schedule.SEGMENT = bounds
        cuda.GPU = gpu = Timed()
        if not np.array_equal(cuda.sketch(rows, values=K), expected):
            raise SystemExit(f"{name}: the sketches are not the processor's")
        took = []
        for _ in range(3):
            gpu.seconds = 0.0
            begin = time.perf_counter()
            cuda.sketch(rows, values=K)
            took.append((time.perf_counter() - begin, gpu.seconds))
        engine, kernel = map(min, zip(*took, strict=True))
        print(f"{name:<30}{rows.nbytes / 1e9 / kernel:>14.3f}{rows.nbytes / 1e9 / engine:>13.3f}")
    schedule.LONG, schedule.SEGMENT = whole


def copy_seconds(size: int) -> float:
    source, target = device.to_device(np.zeros(size, np.uint8)), device.device_array(size, np.uint8)

    def copy() -> None:
        target.copy_to_device(source)
        device.synchronize()

    return best_of(5, copy)


def cudf_is_there(what: str) -> bool:
    missing = [need.found for need in needs() if not need.met and need.name == "cudf"]
    if missing:
        print(f"\n{what}: left out, {missing[0]}")
    return not missing


def beside_cudf(texts: pa.LargeStringArray) -> None:
    if not cudf_is_there("beside cuDF"):
        return
    import cudf

    from pipeline.engines.cuda.columns import to_cudf

    column = to_cudf(texts, cuda.GPU)
    normal = to_cudf(cpu.normalise(texts), cuda.GPU)
    rng = np.random.default_rng(0)
    a, b = (cudf.Series(rng.integers(1, 1 << 32, K, np.uint32)) for _ in range(2))
    size: float = texts.nbytes / 1e9

    def rate(call: Callable[[], object]) -> float:
        call()
        seconds: float = best_of(3, lambda: (call(), device.synchronize()))
        return size / seconds

    def signals() -> object:
        """A tenth of what `signals` measures, each in a pass of its own."""
        texts = column.str
        return [
            texts.len(),
            texts.byte_count(),
            texts.token_count(),
            texts.count(r"\n"),
            texts.count(r"[A-Z]"),
            texts.count(r"[0-9]"),
            texts.count(r"https?://"),
        ]

    cuda.GPU = gpu = Timed()
    ours: dict[str, float] = {}
    for name, call in operations(cuda, texts):
        if name in ("signals", "sketch"):
            call()
            gpu.seconds = 0.0
            call()
            ours[name] = size / gpu.seconds
    minhash = rate(lambda: normal.str.minhash(0, a, b, 5))
    theirs = rate(signals)
    print(
        f"\nstr.minhash, K={K}: {minhash:.2f} GB/s; the sketch: {ours['sketch'] / minhash:.1f} times that (target: 5)"
    )
    print(f"seven of cuDF's string operations: {theirs:.2f} GB/s; all signals: {ours['signals']:.2f} GB/s")


def whole_stage(megabytes: float) -> None:
    if missing := [need.found for need in needs() if not need.met]:
        print(f"\nthe stage `curate`, end to end: left out, {', '.join(missing)}")
        return
    from pipeline.curate import curate
    from pipeline.run import RunDirectory

    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "rows.jsonl"
        size = write_rows(rows, changed_texts(megabytes))
        columns = rows.with_suffix(".parquet")
        pq.write_table(pj.read_json(rows), columns, compression="zstd", row_group_size=20_000)
        print(f"\nthe stage `curate`, {size / 1e6:.0f} MB, end to end")
        for which, path in itertools.product(("cpu", "cuda"), (rows, columns)):
            source = {"name": "s", "kind": "text", "format": "text", "path": str(path)}
            run = f"{folder}/{which}{path.suffix}"
            settings: dict[str, Any] = {"run": run, "device": which, "sources": [source]}
            settings["ingest"] = {"part_bytes": 1 << 28}
            recipe = Recipe.model_validate(settings)
            begin = time.perf_counter()
            curate(RunDirectory.open(recipe), recipe)
            print(f"{which}, of {path.suffix[1:]}: {size / 1e6 / (time.perf_counter() - begin):.0f} MB/s")


def arguments(given: Sequence[str]) -> list[float]:
    return [float(one) for one in given]


if __name__ == "__main__":
    main(*arguments(sys.argv[1:]))
