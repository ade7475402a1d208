"""Files between steps: kept while the machine is up, gone after a boot, written through where that is not known."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipeline.curate.dedup import work
from pipeline.curate.dedup.work import in_memory, load, load_table, save, save_table, work_folder


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """How often a file was written through."""
    calls: list[int] = []
    sync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: (calls.append(handle), sync(handle))[1])
    work._boot.cache_clear()
    yield calls
    work._boot.cache_clear()


def boots(monkeypatch: pytest.MonkeyPatch, path: Path, number: str | None) -> None:
    path.unlink(missing_ok=True)
    if number is not None:
        path.write_text(f"{number}\n")
    monkeypatch.setattr(work, "_BOOT", path)
    work._boot.cache_clear()


ARRAYS = pytest.mark.parametrize(
    "array",
    [
        np.arange(5),
        np.arange(12, dtype=np.uint32).reshape(3, 4),
        np.arange(12.0).reshape(3, 4).T,
        np.arange(12).reshape(3, 4)[:, ::2],
        np.zeros((3, 0), np.int64),
        np.zeros(0, np.uint64),
        np.ones((1, 123456), np.bool_),
    ],
)


@ARRAYS
def test_an_array_is_written_as_numpy_writes_it_and_read_as_it_was(tmp_path: Path, array: np.ndarray) -> None:
    save(tmp_path / "ours.npy", array)
    np.save(tmp_path / "theirs.npy", array)
    assert (tmp_path / "ours.npy").read_bytes() == (tmp_path / "theirs.npy").read_bytes()
    found = load(tmp_path / "ours.npy")
    assert found.dtype == array.dtype
    assert np.array_equal(found, array)


@ARRAYS
def test_an_array_in_memory_is_as_one_that_is_mapped(tmp_path: Path, array: np.ndarray) -> None:
    save(tmp_path / "a.npy", array)
    mapped = load(tmp_path / "a.npy")
    with in_memory() as folder, in_memory() as other:
        path = folder / "below/a.npy"
        save(path, array)
        save(other / "below/a.npy", np.arange(2))
        table = pa.table({"a": [1, 2]})
        save_table(folder / "a.arrow", table)
        assert load_table(folder / "a.arrow").equals(table)
        held = load(path)
        assert np.array_equal(held, mapped)
        # A kernel is compiled for each kind of array.
        assert (held.dtype, held.flags.writeable, held.flags.c_contiguous) == (
            (mapped.dtype, mapped.flags.writeable, mapped.flags.c_contiguous)
        )
        assert not path.exists()
    assert not work._held
    with pytest.raises(OSError, match="Not a directory"):
        load(path)


def test_what_a_boot_left_is_found_until_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, synced: list[int]
) -> None:
    boots(monkeypatch, tmp_path / "boot", "one")
    first = work_folder(tmp_path / "_work")
    save(first / "keys/a.npy", np.arange(3))
    assert not synced
    assert work_folder(tmp_path / "_work") == first
    assert load(first / "keys/a.npy").tolist() == [0, 1, 2]
    boots(monkeypatch, tmp_path / "boot", "two")
    second = work_folder(tmp_path / "_work")
    assert second != first
    assert not first.exists()
    assert not (second / "keys/a.npy").exists()


def test_what_is_not_known_to_be_of_this_boot_is_written_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, synced: list[int]
) -> None:
    boots(monkeypatch, tmp_path / "boot", None)
    home = work_folder(tmp_path / "_work")
    save(home / "a.npy", np.arange(3))
    assert synced
    # Kept: it is on the disk, whatever happened since.
    assert (work_folder(tmp_path / "_work") / "a.npy").exists()
    synced.clear()
    boots(monkeypatch, tmp_path / "boot", "one")
    head = work_folder(tmp_path / "_work")
    assert not home.exists()
    boots(monkeypatch, tmp_path / "boot", "of a worker elsewhere")
    save(head / "b.npy", np.arange(3))
    assert synced
    synced.clear()
    save(tmp_path / "index/c.npy", np.arange(3))  # an output
    assert synced
