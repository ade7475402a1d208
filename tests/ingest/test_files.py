from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.config import Source
from pipeline.errors import InputError
from pipeline.ingest import survey
from pipeline.ingest.containers.jsonl import survey_jsonl
from pipeline.ingest.files import find_shards
from pipeline.ingest.shards import Shard

SLOW = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def source(path: Path | str) -> Source:
    return Source(name="s", kind="text", format="text", path=str(path))


def names(path: Path | str) -> list[str]:
    return [shard.name for shard in find_shards(source(path), str(path))]


@SLOW
@given(
    st.lists(st.sampled_from([b"", b"\r", b"a", b"bb\r", b"c" * 50, b"\xff", b'{"text": "x"}']), max_size=80),
    st.booleans(),
    st.integers(1, 120),
)
def test_blocks_cover_a_file_in_whole_lines(tmp_path: Path, lines: list[bytes], closed: bool, part_bytes: int) -> None:
    data = b"\n".join(lines) + (b"\n" if closed else b"")
    path = tmp_path / "f.jsonl"
    path.write_bytes(data)
    blocks, _ = survey_jsonl(source(path), Shard(name="f.jsonl", location=str(path)), part_bytes=part_bytes)
    assert b"".join(data[b.offset : b.offset + b.length] for b in blocks) == data
    for block in blocks:
        assert block.bytes == block.length > 0
        assert block.offset == 0 or data[block.offset - 1 : block.offset] == b"\n"
        assert block.first_row == data[: block.offset].count(b"\n")
        assert block.lines == len(data[block.offset : block.offset + block.length].removesuffix(b"\n").split(b"\n"))
    for block in blocks[:-1]:  # no smaller cut at a newline would do
        assert data[block.offset : block.offset + block.length - 1].find(b"\n", part_bytes - 1) == -1
        assert block.length >= part_bytes


def test_a_cut_is_found_beyond_the_bytes_read_at_once(tmp_path: Path) -> None:
    path = tmp_path / "f.jsonl"
    path.write_bytes(b"x" * (3 << 20) + b"\n" + b"y\n" * 10)
    blocks, _ = survey_jsonl(source(path), Shard(name="f", location=str(path)), part_bytes=10)
    assert [(b.length, b.first_row) for b in blocks] == [((3 << 20) + 1, 0), (10, 1), (10, 6)]


def test_shards_are_named_below_the_folders_before_the_first_wildcard(tmp_path: Path) -> None:
    for name in ("b/x.jsonl", "a/deep/y.jsonl", "a/z.jsonl", "a/z.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.jsonl").mkdir()
    assert names(tmp_path / "**" / "*.jsonl") == ["a/deep/y.jsonl", "a/z.jsonl", "b/x.jsonl"]
    assert names(tmp_path / "a" / "*") == ["z.jsonl", "z.txt"]
    assert names(tmp_path / "a" / "z.jsonl") == ["z.jsonl"]


def test_paths_are_relative_to_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.jsonl").touch()
    monkeypatch.chdir(tmp_path)
    assert find_shards(source("x.jsonl"), "x.jsonl") == [Shard(name="x.jsonl", location="x.jsonl")]
    assert find_shards(source("*.jsonl"), "*.jsonl") == [Shard(name="x.jsonl", location="x.jsonl")]


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("data/notes.jsnl", "did you mean 'notes.jsonl'"),
        ("dta/notes.jsonl", "did you mean 'data'"),
        ("data/nots*.jsonl", "did you mean 'notes.jsonl'"),
        ("data", "name its files: data/*.jsonl"),
        ("void/*", "holds nothing"),
    ],
)
def test_a_path_that_matches_no_file_says_what_is_near(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, says: str
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "void").mkdir()
    (tmp_path / "data/notes.jsonl").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as caught:
        names(path)
    assert says in str(caught.value)
    assert path in caught.value.where


def test_a_name_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.jsonl")).touch()
    with pytest.raises(InputError, match="not UTF-8"):
        names(tmp_path / "*.jsonl")


def test_an_empty_file_has_no_block(tmp_path: Path) -> None:
    (tmp_path / "e.jsonl").touch()
    assert survey(source(tmp_path / "*"), part_bytes=10).blocks == ()


def test_a_packed_file_is_one_block_of_its_unpacked_size(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl.gz"
    path.write_bytes(gzip.compress(b"line\n" * 10_000))
    (block,) = survey(source(path), part_bytes=1000).blocks
    assert (block.offset, block.length, block.bytes) == (0, -1, 50_000)


def test_the_fingerprint_is_of_names_and_contents_only(tmp_path: Path) -> None:
    def fingerprint(folder: str, name: str, data: bytes, part_bytes: int = 100) -> str:
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_bytes(data)
        return survey(source(tmp_path / folder / "*"), part_bytes=part_bytes).fingerprint

    first = fingerprint("a", "x.jsonl", b"1\n")
    assert fingerprint("b", "x.jsonl", b"1\n", part_bytes=1) == first
    assert fingerprint("c", "y.jsonl", b"1\n") != first
    assert fingerprint("d", "x.jsonl", b"2\n") != first


def test_the_fingerprint_changes_with_how_rows_are_read(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_bytes(b"1\n")
    one = source(tmp_path / "x.jsonl")
    two = one.model_copy(update={"columns": {"text": "body"}})
    assert survey(one, part_bytes=9).fingerprint != survey(two, part_bytes=9).fingerprint
