"""A file or folder is written once or not at all, whatever interrupts it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
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


_KILLED = """
import os, signal, sys
from pathlib import Path
from pipeline import atomic

path, before, real = Path(sys.argv[1]), sys.argv[2], os.replace

def replace(source, target):
    if Path(source if before == "old" else target) == path:
        os.kill(os.getpid(), signal.SIGKILL)
    real(source, target)

os.replace = replace
with atomic.atomic_folder(path) as beside:
    (beside / "new").write_text("new")
"""


@pytest.mark.parametrize("before", ["old", "new"])
@pytest.mark.parametrize("fails", [False, True])
def test_a_kill_while_a_folder_is_replaced_loses_neither(tmp_path: Path, before: str, fails: bool) -> None:
    """Killed before the older one is moved aside, or before the new one takes its place."""
    path = tmp_path / "model"
    with atomic_folder(path) as beside:
        (beside / "old").write_text("old")
    killed = subprocess.run([sys.executable, "-c", _KILLED, str(path), before], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert path.exists() == (before == "old")
    assert any(file.name == "old" for file in tmp_path.rglob("*"))
    try:
        with atomic_folder(path) as beside:
            assert content_of(path) == {"old": b"old"}
            (beside / "newer").write_text("newer")
            if fails:
                raise KeyboardInterrupt
    except KeyboardInterrupt:
        assert fails
    assert content_of(tmp_path) == ({"model/old": b"old"} if fails else {"model/newer": b"newer"})
    assert [file.name for file in tmp_path.iterdir()] == ["model"]


def test_what_a_living_process_writes_is_left_alone(tmp_path: Path) -> None:
    with atomic_folder(tmp_path / "model") as one:
        (one / "first").write_text("first")
        with atomic_folder(tmp_path / "model") as other:
            (other / "second").write_text("second")
        assert (one / "first").exists()
    assert content_of(tmp_path) == {"model/first": b"first"}


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
