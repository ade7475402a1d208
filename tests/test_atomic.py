"""A file or folder is written once or not at all, whatever interrupts it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.atomic import atomic_file, atomic_folder, write_json, write_text
from pipeline.errors import MachineError
from pipeline.run import RunDirectory, Stage


def content_of(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_a_failed_write_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "part"
    write_text(path, "old")
    with pytest.raises(UnicodeEncodeError), atomic_file(path) as beside, beside.open("w", encoding="ascii") as stream:
        stream.writelines(["new, and then", "ö"])
    assert content_of(tmp_path) == {"part": b"old"}


def test_a_failed_folder_leaves_the_old_folder_and_nothing_beside_it(tmp_path: Path) -> None:
    for fails in (False, True):
        try:
            with atomic_folder(tmp_path / "model") as beside:
                (beside / "weights").write_text("new" if fails else "old")
                if fails:
                    raise KeyboardInterrupt
        except KeyboardInterrupt:
            assert fails
    assert content_of(tmp_path) == {"model/weights": b"old"}


def test_a_folder_replaces_an_older_one_as_a_whole(tmp_path: Path) -> None:
    for name in ("old", "new"):
        with atomic_folder(tmp_path / "model") as beside:
            (beside / name).write_text(name)
    assert content_of(tmp_path) == {"model/new": b"new"}


def test_equal_values_are_equal_bytes(tmp_path: Path) -> None:
    write_json(tmp_path / "a", {"x": 1, "ö": [2]})
    write_json(tmp_path / "b", json.loads('{"ö": [2], "x": 1}'))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 1 MiB."""
    if os.geteuid() != 0:
        pytest.skip("mounting a tmpfs takes root")
    mount = tmp_path / "disk"
    mount.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(mount)], capture_output=True, check=False
    )
    if done.returncode != 0:
        pytest.skip(f"no tmpfs can be mounted here: {done.stderr.decode().strip()}")
    try:
        yield mount
    finally:
        subprocess.run(["umount", str(mount)], check=True)


def test_a_full_disk_is_one_message_and_nothing_is_half_written(tiny_disk: Path) -> None:
    write_text(tiny_disk / "part-0", "whole")
    with pytest.raises(MachineError, match="the disk is full") as caught:
        write_text(tiny_disk / "part-1", "x" * (2 << 20))
    assert caught.value.exit_code == 2
    assert "finished parts are kept" in str(caught.value)
    assert content_of(tiny_disk) == {"part-0": b"whole"}


def test_a_stage_that_filled_the_disk_goes_on_from_its_finished_parts(tiny_disk: Path) -> None:
    stage = Stage(run=RunDirectory(tiny_disk), name="x", version=1, config={}, inputs={}, folders=("x",))
    stage.begin()
    write_text(stage.run.path("x/part-0"), "whole")
    stage.commit("part-0", {"x/part-0": 1}, {})
    with pytest.raises(MachineError):
        write_text(stage.run.path("x/part-1"), "x" * (2 << 20))
    assert list(stage.begin()) == ["part-0"]
    write_text(stage.run.path("x/part-1"), "there is room again")
    stage.commit("part-1", {"x/part-1": 1}, {})
    stage.finish()
    assert stage.why() is None


def test_a_full_disk_under_parquet_is_the_same_message(tiny_disk: Path) -> None:
    table = pa.table({"x": list(map(str, range(400_000)))})
    with pytest.raises(MachineError, match="the disk is full"), atomic_file(tiny_disk / "part.parquet") as beside:
        pq.write_table(table, beside, compression="none")
    assert content_of(tiny_disk) == {}
