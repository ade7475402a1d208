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
from pipeline.ingest.lines import Lines, lines_of

Found = tuple[int, bytes | None]
"""The number of a line, and its bytes or None where it is too long."""


def read(path: Path, part_bytes: int = 1 << 20, max_row_bytes: int = 100) -> list[Lines]:
    source = Source(name="s", kind="text", format="text", path=str(path))
    blocks = survey(source, part_bytes=part_bytes).blocks
    return [lines for block in blocks for lines in lines_of(block, max_row_bytes=max_row_bytes)]


def found(batches: list[Lines]) -> list[Found]:
    return [
        (row, None if index in lines.refused else lines.text(index))
        for lines in batches
        for index, row in enumerate(lines.numbers.tolist())
    ]


def expected(data: bytes, limit: int) -> tuple[list[Found], int]:
    """The definition, in plain words of Python; and how many bytes there are."""
    lines: list[Found] = []
    size = 0
    for row, raw in enumerate(data.split(b"\n")):
        line = raw.removesuffix(b"\r")
        text = line.removeprefix(b"\xef\xbb\xbf") if row == 0 else line
        if len(line) > limit or text.strip():
            lines.append((row, text if len(line) <= limit else None))
            size += len(line)
    return lines, size


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
    got = read(path, part_bytes, limit)
    assert (found(got), sum(lines.size for lines in got)) == expected(data, limit)


@pytest.mark.parametrize("size", [(1 << 20) - 1, 1 << 20, (1 << 20) + 1, (5 << 20) + 7])
@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\r\nx\n"])
def test_a_line_may_span_what_is_read_at_once(tmp_path: Path, size: int, end: bytes) -> None:
    data = b"a\n" + b"y" * size + end
    (tmp_path / "x").write_bytes(data)
    got = read(tmp_path / "x", max_row_bytes=size)
    assert (found(got), sum(lines.size for lines in got)) == expected(data, size)
    refused = [why for lines in read(tmp_path / "x", max_row_bytes=size - 1) for why in lines.refused.values()]
    assert [(why.rule, why.value, why.threshold) for why in refused] == [("too_long", size, size - 1)]


def test_a_line_that_is_too_long_is_never_held(tmp_path: Path) -> None:
    with (tmp_path / "x.gz").open("wb") as raw, gzip.open(raw, "wb", compresslevel=1) as stream:
        for _ in range(64):
            stream.write(b"z" * (1 << 20))
        stream.write(b"\nshort\n")
    tracemalloc.start()
    first, second = read(tmp_path / "x.gz", max_row_bytes=1 << 20)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (first.size, first.refused[0].rule) == (64 << 20, "too_long")
    assert found([second]) == [(1, b"short")]
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


def test_a_gz_without_a_byte_is_damaged_and_one_of_no_lines_is_empty(tmp_path: Path) -> None:
    (tmp_path / "x.gz").write_bytes(gzip.compress(b""))
    assert read(tmp_path / "x.gz") == []
    (tmp_path / "x.gz").write_bytes(b"")
    with pytest.raises(InputError, match="damaged") as caught:
        read(tmp_path / "x.gz")
    assert "x.gz" in caught.value.where


def test_a_file_that_changed_since_its_survey_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"aaaa\n" * 10)
    source = Source(name="s", kind="text", format="text", path=str(path))
    blocks = survey(source, part_bytes=10).blocks

    def read_block(block: Block) -> list[Lines]:
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
