"""The CUDA engine where there is no GPU: its own launch code in Numba's simulator, its kernels as PTX."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numba
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.curate.slices import curate_slice
from pipeline.engines import cpu
from pipeline.engines.launch import Host, Loop, Out, Scratch, Some, launched_by
from pipeline.engines.segments import WHOLE, Segments
from tests.engines.a_slice import BACK, OF_FILE, READ, THERE, recipe, slice_of_rows, slices_of_file
from tests.engines.operations import OPERATIONS, results

ROOT = Path(__file__).parents[2]

pytest.importorskip("numba.cuda", reason="numba-cuda is not installed")


def test_the_simulator_gives_the_bits_of_the_cpu_engine(tmp_path: Path) -> None:
    out = tmp_path / "results"
    done = subprocess.run(
        [sys.executable, "-m", "tests.engines.simulate", str(out)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    here = results(cpu)
    (whole, left), (mixed, left_of_mixed), book = pickle.loads(out.read_bytes())
    assert [name for name in OPERATIONS if whole[name] != here[name]] == []
    assert [name for name in OPERATIONS if mixed[name] != here[name]] == []
    # What needs a library of the host is the same; long rows are left to it only where there is no room for them.
    assert left_of_mixed.pop("long rows") > 20
    assert left == left_of_mixed
    assert set(left) == {"ftfy", "normal forms", "numbering plans and check sums", "one table of windows"}
    assert book[0] == ["a page" * 20]
    assert book[1]["long rows"]


def test_text_is_copied_to_the_device_once_and_only_what_changed_comes_back(tmp_path: Path) -> None:
    out = tmp_path / "copies"
    done = subprocess.run(
        [sys.executable, "-m", "tests.engines.count_copies", str(out)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    here = curate_slice(slice_of_rows(), recipe(), cpu, {})
    # In the second run the row that is cleaned is written by the processor, so it is copied to the device.
    *runs, of_lines, of_columns, of_device = pickle.loads(out.read_bytes())
    for more, ((there, back), tables, left) in zip(([], BACK[:1]), runs, strict=True):
        assert sorted(there) == sorted([*THERE, *more])
        assert sorted(back) == sorted(BACK)
        assert tables == [repr(table.to_pylist()) for table in (here.kept, here.keys)]  # NaN is NaN
        assert bool(left.get("long rows")) == bool(more)
    (there, back), tables, size = of_lines
    assert sorted(there) == sorted([size, len("text"), *OF_FILE])  # the key under which texts stand
    assert sorted(back) == sorted([READ, *BACK])
    assert tables == tables_of_file(tmp_path / "copies.jsonl")
    # Texts of Parquet as columns: decoded here they are copied there once, decoded there not at all, but here once.
    parquet = tables_of_file(tmp_path / "copies.parquet")
    (there, back), tables = of_columns
    assert sorted(there) == sorted([READ, *OF_FILE])
    assert sorted(back) == sorted(BACK)
    assert tables == parquet
    (there, back), tables = of_device
    assert sorted(there) == sorted(OF_FILE)
    assert len(back) > len(BACK)
    assert sum(back) == READ + sum(BACK)
    assert tables == parquet


@pytest.mark.parametrize("kind", [RuntimeError, MemoryError, OverflowError, ValueError, TypeError, IndexError, OSError])
def test_whatever_error_cudf_raises_the_rest_of_the_rows_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
) -> None:
    from pipeline.engines.cuda import parquet

    def series(*_: Any) -> Iterator[dict[str, Any]]:
        yield {"text": ["one", "two"]}
        raise kind("libcudf says so")

    pq.write_table(pa.table({"text": ["one", "two", "three"]}), tmp_path / "rows.parquet")
    monkeypatch.setattr(parquet, "series_of_parquet", series)
    monkeypatch.setattr(parquet, "from_cudf", lambda one, *_, **__: one)
    left: list[tuple[str, int]] = []
    gpu: Any = SimpleNamespace(leave=lambda *what: left.append(what))
    assert list(parquet.decoded(str(tmp_path / "rows.parquet"), 0, ["text"], gpu)) == [{"text": ["one", "two"]}]
    assert left == [("Parquet that cuDF does not decode", 1)]


def tables_of_file(path: Path) -> list[str]:
    (ingested,) = slices_of_file(path, cpu)
    done = curate_slice(ingested, recipe(), cpu, {})
    return [repr(table.to_pylist()) for table in (done.kept, done.keys)]


class _Recorded(Host):
    """The processor, as a GPU would be asked: what loops are launched, and with arguments of which types."""

    parallel = True

    def __init__(self) -> None:
        self.launches: dict[tuple[Loop, tuple[bool, ...], tuple[Any, ...]], None] = {}

    def run(self, loop: Loop, work: np.ndarray, *arguments: Any, segments: Segments = WHOLE) -> None:
        own = tuple(isinstance(one, Scratch) for one in arguments)
        self.launches[loop, own, tuple(_type_of(one) for one in arguments)] = None
        super().run(loop, work, *arguments, segments=segments)


def _type_of(argument: Any) -> Any:
    """As a device array of the same kind, which is never read-only; of scratch there is one for each thread."""
    if isinstance(argument, Out | Some):
        argument = argument.array
    if isinstance(argument, Scratch):
        argument = argument.make(8)[None]
    if isinstance(argument, np.ndarray):
        return numba.types.Array(numba.from_dtype(argument.dtype), argument.ndim, "C")
    return numba.types.int64


LOOPS = (
    "band_rows",
    "bucket_rows",
    "cut_rows",
    "cut_span_rows",
    "decode_context_rows",
    "decode_scalar_rows",
    "digest_rows",
    "digest_span_rows",
    "edge_rows",
    "equal_rows",
    "find_rows",
    "flag_disguised",
    "flag_rows",
    "fold_rows",
    "header_rows",
    "line_rows",
    "list_scalar_rows",
    "markup_rows",
    "measure_rows",
    "passage_rows",
    "scan_rows",
    "shingle_rows",
    "sketch_rows",
    "splice_scalar_rows",
    "stretch_rows",
    "suspect_rows",
    "undisguise_rows",
    "write_replaced",
)


@pytest.fixture(scope="module")
def launches() -> list[tuple[Loop, tuple[bool, ...], tuple[Any, ...]]]:
    recorded = _Recorded()
    with launched_by(recorded):
        results(cpu)
    return list(recorded.launches)


def test_every_loop_is_launched_with_arguments_of_one_kind(launches: Sequence[Any]) -> None:
    assert tuple(sorted(loop.__name__ for loop, _, _ in launches)) == LOOPS


@pytest.mark.parametrize("name", LOOPS)
def test_every_launched_kernel_compiles_to_ptx(
    name: str, launches: Sequence[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    import numba.cuda.dispatcher

    from pipeline.engines.cuda.kernels import launched

    order = numba.types.Array(numba.types.int64, 1, "C")
    loop, own, types = next(launch for launch in launches if launch[0].__name__ == name)
    for capability in ((8, 0), (9, 0), (10, 0)):
        # Where a kernel calls another, Numba asks the driver for which device.
        device = SimpleNamespace(compute_capability=capability)
        monkeypatch.setattr(numba.cuda.dispatcher, "get_current_device", lambda device=device: device)
        # Optimised for one of them: that changes no kernel's being valid, and takes most of the time.
        options = {"cc": capability, "output": "ptx", "abi": "numba", "opt": capability == (9, 0)}
        ptx, _ = numba.cuda.compile(launched(loop, own), (order, *types), device=False, **options)
        assert f".target sm_{capability[0]}{capability[1]}" in ptx
        assert "extern .func" not in ptx  # no call into a runtime: nothing is allocated, printed or raised


def test_a_kernel_is_compiled_once_for_a_kind_of_device_and_source(tmp_path: Path) -> None:
    found = []
    for capabilities in (["90"], ["90", "100", "0"]):
        done = subprocess.run(
            [sys.executable, "-m", "tests.engines.keep_kernel", *capabilities],
            cwd=ROOT,
            env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        found += done.stdout.split()
    assert found == ["compiled", "kept", "compiled", "compiled"]


def test_what_moves_pieces_of_rows_compiles_to_ptx() -> None:
    from pipeline.engines.cuda.kernels import move_pieces

    places = numba.types.Array(numba.types.int64, 1, "C")
    for kind in (numba.types.uint8, numba.types.uint64, numba.types.int64):
        values = numba.types.Array(kind, 1, "C")
        signature = (values, places, values, places, places)
        for capability in ((8, 0), (9, 0), (10, 0)):
            ptx, _ = numba.cuda.compile(move_pieces, signature, device=False, cc=capability, output="ptx", abi="numba")
            assert f".target sm_{capability[0]}{capability[1]}" in ptx


@given(st.lists(st.tuples(st.integers(0, 9000) | st.just(0), st.booleans(), st.booleans()), max_size=20))
def test_pieces_are_bounded_and_move_every_row_where_it_belongs(rows: list[tuple[int, bool, bool]]) -> None:
    from pipeline.engines.cuda.pieces import PIECE, pieces_of

    lengths = np.array([length for length, _, _ in rows], np.int64)
    starts, places = (np.cumsum(lengths + np.array([row[gap] for row in rows], np.int64)) - lengths for gap in (1, 2))
    size = int(max((starts + lengths).max(initial=0), (places + lengths).max(initial=0)))
    source = np.random.default_rng(0).integers(1, 256, size, np.uint8)
    wanted, moved = np.zeros(size, np.uint8), np.zeros(size, np.uint8)
    for start, place, length in zip(starts, places, lengths, strict=True):
        wanted[place : place + length] = source[start : start + length]
    for start, place, length in zip(*pieces_of(starts, places, lengths), strict=True):
        assert 0 < length <= PIECE
        assert not moved[place : place + length].any()
        moved[place : place + length] = source[start : start + length]
    assert np.array_equal(moved, wanted)


@given(st.lists(st.integers(0, 1 << 22) | st.integers(0, 2000), max_size=60), st.booleans())
def test_every_row_is_worked_on_once_and_long_ones_first(sizes: list[int], by_length: bool) -> None:
    from pipeline.engines.cuda.schedule import LONG, plan

    work = np.array(sizes, np.int64)
    launches, host = plan(work, by_length=by_length)
    assert sorted(np.concatenate([host, *launches]).tolist()) == list(range(len(work)))
    assert all(work[row] >= LONG for row in host)
    order = [int(work[row]) for rows in launches for row in rows]
    assert order == sorted(order, reverse=True)
    if by_length:
        assert all(work[rows[0]] <= max(256, 4 * work[rows[-1]]) for rows in launches)
    else:
        assert len(launches) == (len(host) < len(work))


def test_a_row_much_longer_than_all_others_is_left_to_the_processor_but_many_long_ones_are_not() -> None:
    from pipeline.engines.cuda.schedule import plan

    assert plan(np.array([500, 100 << 20, 2000]), by_length=True).host.tolist() == [1]
    assert plan(np.full(5000, 1 << 20), by_length=True).host.tolist() == []
    assert plan(np.full(5000, 2000), by_length=True).host.tolist() == []


def test_copies_are_kept_within_their_bytes_and_the_oldest_go_first() -> None:
    from pipeline.engines.cuda.mirrors import Mirrors

    arrays = [np.zeros(5000, np.uint8) for _ in range(4)]
    mirrors = Mirrors(15_000)
    for number, array in enumerate(arrays[:3]):
        mirrors.keep(array, number)
    assert mirrors.find(arrays[0]) == 0
    mirrors.keep(arrays[3], 3)
    assert [mirrors.find(array) for array in arrays] == [0, None, 2, 3]
    mirrors.keep(np.zeros(15_001, np.uint8), "too large")
    assert mirrors.find(arrays[0][:100]) is None
    mirrors.clear()
    assert mirrors.find(arrays[0]) is None


def test_importing_the_engine_initialises_nothing() -> None:
    """No driver is loaded: here there is none, and where there is one, a parent must not hold a context."""
    code = (
        "import sys; import pipeline.engines, pipeline.curate.part; assert 'numba.cuda' not in sys.modules;"
        "from pipeline.engines import cuda; from numba.cuda.cudadrv.driver import driver;"
        "assert driver.pid is None and 'cudf' not in sys.modules and 'cupy' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
