from __future__ import annotations

import gzip
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.config import Source
from pipeline.errors import InputError
from pipeline.ingest import Block, survey
from pipeline.ingest.lines import Line, lines_of
from pipeline.ingest.rejected import Rejected


def read(path: Path, part_bytes: int = 1 << 20, max_row_bytes: int = 100) -> list[Line]:
    source = Source(name="s", kind="text", format="text", path=str(path))
    blocks = survey(source, part_bytes=part_bytes).blocks
    return [line for block in blocks for line in lines_of(block, max_row_bytes=max_row_bytes)]


def expected(data: bytes, limit: int) -> list[tuple[int, bytes | None, int]]:
    """The definition, in plain words of Python."""
    found = []
    for row, raw in enumerate(data.split(b"\n")):
        line = raw.removesuffix(b"\r")
        text = line.removeprefix(b"\xef\xbb\xbf") if row == 0 else line
        if len(line) > limit:
            found.append((row, None, len(line)))
        elif text.strip():
            found.append((row, text, len(line)))
    return found


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(st.sampled_from([b"\n", b"\r", b"\r\n", b" ", b"a", b"bc", b"\xff\x00", b"d" * 11, b"\xef\xbb\xbf"])),
    st.integers(1, 40),
    st.integers(1, 30),
    st.booleans(),
)
def test_lines_are_those_of_the_definition_wherever_the_file_is_cut(
    tmp_path: Path, pieces: list[bytes], part_bytes: int, limit: int, packed: bool
) -> None:
    data = b"".join(pieces)
    path = tmp_path / ("x.gz" if packed else "x")
    path.write_bytes(gzip.compress(data) if packed else data)
    got = [
        (line.row, None if isinstance(line.text, Rejected) else line.text, line.bytes)
        for line in read(path, part_bytes, limit)
    ]
    assert got == expected(data, limit)


@pytest.mark.parametrize("size", [(1 << 20) - 1, 1 << 20, (1 << 20) + 1, (5 << 20) + 7])
@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\r\nx\n"])
def test_a_line_may_span_what_is_read_at_once(tmp_path: Path, size: int, end: bytes) -> None:
    data = b"a\n" + b"y" * size + end
    (tmp_path / "x").write_bytes(data)
    got = [(line.row, line.text, line.bytes) for line in read(tmp_path / "x", max_row_bytes=size)]
    assert got == expected(data, size)
    longer = read(tmp_path / "x", max_row_bytes=size - 1)[1]
    assert isinstance(longer.text, Rejected)
    assert (longer.text.rule, longer.text.value, longer.text.threshold) == ("too_long", size, size - 1)


def test_a_line_that_is_too_long_is_never_held(tmp_path: Path) -> None:
    with (tmp_path / "x.gz").open("wb") as raw, gzip.open(raw, "wb", compresslevel=1) as stream:
        for _ in range(64):
            stream.write(b"z" * (1 << 20))
        stream.write(b"\nshort\n")
    tracemalloc.start()
    first, second = read(tmp_path / "x.gz", max_row_bytes=1 << 20)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert isinstance(first.text, Rejected)
    assert (first.bytes, second.text) == (64 << 20, b"short")
    assert peak < 12 << 20


@pytest.mark.parametrize("cut", [3, 12, -9, -4])
def test_a_damaged_gz_is_an_error_that_names_the_file(tmp_path: Path, cut: int) -> None:
    whole = gzip.compress(b'{"text": "some line"}\n' * 1000)
    (tmp_path / "x.gz").write_bytes(whole[:cut])
    with pytest.raises(InputError, match="damaged") as caught:
        read(tmp_path / "x.gz")
    assert "x.gz" in caught.value.where


def test_what_is_not_gzip_and_a_wrong_checksum_are_errors(tmp_path: Path) -> None:
    whole = bytearray(gzip.compress(b"line\n" * 1000))
    whole[-6] ^= 1
    for data in (b"plain text\n", bytes(whole)):
        (tmp_path / "x.gz").write_bytes(data)
        with pytest.raises(InputError, match="damaged"):
            read(tmp_path / "x.gz")


def test_an_empty_gz_holds_nothing(tmp_path: Path) -> None:
    (tmp_path / "x.gz").touch()
    assert read(tmp_path / "x.gz") == []


def test_a_file_that_changed_since_its_survey_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"aaaa\n" * 10)
    source = Source(name="s", kind="text", format="text", path=str(path))
    blocks = survey(source, part_bytes=10).blocks

    def read_block(block: Block) -> list[Line]:
        return list(lines_of(block, max_row_bytes=100))

    path.write_bytes(b"aaaaaa\n" * 10)  # longer lines: a block no longer begins at one
    with pytest.raises(InputError, match="changed"):
        read_block(blocks[1])
    path.write_bytes(b"aaaa\n" * 3)  # shorter than it was
    with pytest.raises(InputError, match="changed"):
        read_block(blocks[-1])
    path.unlink()
    with pytest.raises(InputError, match="cannot be read"):
        read_block(blocks[0])
