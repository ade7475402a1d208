"""Zip and tar archives of code."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Callable

import pytest

from pipeline.errors import InputError
from pipeline.ingest import packed, survey
from pipeline.ingest.containers import archives
from tests.ingest.conftest import MakeSource, ingest, rejected_of, rows_of

FILES = {
    "src/a.py": b"print(1)\n",
    "src/b.c": b"int x;\r\n",
    "é.txt": "café".encode(),
    "bin": b"\xff\xfe",
    "empty.py": b"",
}


def zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("src")
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def tarred(mode: str) -> Callable[[dict[str, bytes]], bytes]:
    def pack(files: dict[str, bytes]) -> bytes:
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode=mode) as archive:  # type: ignore[call-overload]
            folder = tarfile.TarInfo("src")
            folder.type = tarfile.DIRTYPE
            archive.addfile(folder)
            for name, data in files.items():
                member = tarfile.TarInfo(name)
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
        return out.getvalue()

    return pack


ARCHIVES = {
    "a.zip": zipped,
    "a.tar": tarred("w"),
    "a.tar.gz": tarred("w:gz"),
    "a.tgz": tarred("w:gz"),
    "a.tar.xz": tarred("w:xz"),
}


@pytest.mark.parametrize("name", ARCHIVES)
@pytest.mark.parametrize("part_bytes", [1, 1 << 20])
def test_each_file_of_an_archive_is_a_row(make_source: MakeSource, name: str, part_bytes: int) -> None:
    parts = ingest(make_source(ARCHIVES[name](FILES), file=name, kind="code", format="code"), part_bytes=part_bytes)
    rows = rows_of(parts)
    assert [(row["id"], row["messages"][0]["content"], row["metadata"]) for row in rows] == [
        (f"s/{name}#{number}", FILES[path].decode(), f'{{"path":"{path}"}}')
        for number, path in enumerate(FILES)
        if number < 3
    ]
    assert [(entry["id"], entry["rule"]) for entry in rejected_of(parts)] == [
        (f"s/{name}#3", "invalid_utf8"), (f"s/{name}#4", "empty_text")
    ]  # fmt: skip


def test_a_zip_archive_is_cut_into_members(make_source: MakeSource) -> None:
    source = make_source(zipped(FILES), file="a.zip", kind="code", format="code")
    assert [(block.offset, block.length) for block in survey(source, part_bytes=10).blocks] == [(0, 2), (2, 3)]


@pytest.mark.parametrize("name", ARCHIVES)
def test_a_member_that_is_too_long_is_not_read(make_source: MakeSource, name: str) -> None:
    data = ARCHIVES[name]({"a.py": b"x = 1\n" * 20_000, "b.py": b"y = 2\n"})
    parts = ingest(make_source(data, file=name, kind="code", format="code"))
    assert [row["id"] for row in rows_of(parts)] == [f"s/{name}#1"]
    assert [(entry["rule"], entry["value"]) for entry in rejected_of(parts)] == [("too_long", 120_000)]


@pytest.mark.parametrize("name", ARCHIVES)
def test_an_archive_that_cannot_be_read_stops_the_run(make_source: MakeSource, name: str) -> None:
    whole = ARCHIVES[name]({f"{number}.py": bytes([number]) * 999 for number in range(40)})
    for broken in (whole[: len(whole) // 2], b"no archive at all" * 100):
        with pytest.raises(InputError, match=r"cannot be read|damaged"):
            ingest(make_source(broken, file=name, kind="code", format="code"))


def test_an_encrypted_archive_is_refused(make_source: MakeSource) -> None:
    data = bytearray(zipped({"a.py": b"x"}))
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(InputError, match="encrypted"):
        survey(make_source(bytes(data), file="a.zip", kind="code", format="code"), part_bytes=10)


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz"])
def test_a_bomb_of_an_archive_is_refused(make_source: MakeSource, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(packed, "FREE", 1 << 20)
    monkeypatch.setattr(archives, "FREE", 1 << 20)
    data = ARCHIVES[name]({f"{number}.py": b"\0" * (1 << 20) for number in range(3)})
    with pytest.raises(InputError, match="decompression bomb"):
        ingest(make_source(data, file=name, kind="code", format="code"))


def test_code_is_every_file_that_is_no_archive(make_source: MakeSource) -> None:
    for name in ("a.py", "a.json", "a.csv", "Makefile"):
        (row,) = rows_of(ingest(make_source(b'{"text": 1}\n', file=name, kind="code", format="code")))
        assert row["messages"][0]["content"] == '{"text": 1}\n'
