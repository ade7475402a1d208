"""Rows whose texts are taken as columns are those that are read from the same rows written as JSON lines."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.config import Source
from pipeline.engines import cpu
from pipeline.errors import InputError
from pipeline.ingest import Block, Ingested, lines, packed, read_blocks, read_slices, survey
from pipeline.ingest.containers import CONTAINERS, batch_texts, parquet
from pipeline.ingest.containers.parquet_beside import decodable
from pipeline.ingest.containers.parquet_sizes import safe_rows
from pipeline.schema import LEDGER, ROWS

SOURCES = {
    "text": {"kind": "text", "format": "text"},
    "code": {"kind": "code", "format": "code", "container": "parquet", "columns": {"text": "output"}},
    "completion": {"kind": "pair", "format": "completion", "columns": {"input": "text"}},
    "one text twice": {"kind": "pair", "format": "completion", "columns": {"input": "text", "output": "text"}},
}
WORDS = st.text(st.sampled_from('ab"\\/{[\n\t\x01\x1f\x7f é漢😀\u2028'), max_size=12)
TEXTS = WORDS | st.sampled_from([None, "", " ", "\u3000\n", "\x1c", '"', "\\", "long " * 30, "\\u0041", "x"])
RAW = TEXTS.map(lambda text: None if text is None else text.encode()) | st.sampled_from([b"\xff", b"a\xed\xa0\x80"])


def unchecked(values: Sequence[bytes | None]) -> pa.Array:
    """Strings that need not be UTF-8, as Parquet has them."""
    return pa.array(values, pa.binary()).view(pa.string())


COLUMNS: list[tuple[st.SearchStrategy[Any], Callable[[list[Any]], pa.Array]]] = [
    (TEXTS, lambda values: pa.array(values, pa.string())),
    (TEXTS, lambda values: pa.array(values, pa.large_string())),
    (TEXTS, lambda values: pa.array(values, pa.string()).dictionary_encode()),
    (TEXTS, lambda values: pa.array(values, pa.string_view())),
    (RAW, lambda values: pa.array(values, pa.large_binary())),
    (RAW, unchecked),
    (st.none() | st.integers(-(2**63), 2**63 - 1), lambda values: pa.array(values, pa.int64())),
]
"""Columns of texts, and one of something else: values, and how they become a column."""
MORE: list[tuple[st.SearchStrategy[Any], Callable[[list[Any]], pa.Array]]] = [
    (st.floats(), lambda values: pa.array(values, pa.float64())),
    (st.sampled_from([None, Decimal("1.50")]), lambda values: pa.array(values, pa.decimal128(5, 2))),
    (st.lists(WORDS, max_size=2), lambda values: pa.array(values, pa.list_(pa.string()))),
    (
        st.fixed_dictionaries({}, optional={"b": st.none() | st.integers(0, 9), 'c"': st.lists(st.none() | WORDS)}),
        lambda values: pa.array(values, pa.struct([("b", pa.int8()), ('c"', pa.list_(pa.string()))])),
    ),
    (
        st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 3)), max_size=3),
        lambda values: pa.array(values, pa.map_(pa.string(), pa.int8())),
    ),
]


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    """Columns under the formats' keys and other names, among which one may be there twice."""
    rows = draw(st.integers(1, 25))
    names = draw(st.permutations(["text", "output", *draw(st.lists(st.sampled_from(["n", 'q"', "é", "a.b", "text"])))]))
    columns = []
    for name in names:
        choice = COLUMNS if name in ("text", "output") and draw(st.integers(0, 9)) else [*COLUMNS, *MORE]
        if name in ("text", "output") and draw(st.booleans()):
            choice = COLUMNS[:1]
        values, make = draw(st.sampled_from(choice))
        columns.append(make(draw(st.lists(values, min_size=rows, max_size=rows))))
    return pa.Table.from_arrays(columns, names=names)


def encoded_as(name: str) -> dict[str, Any]:
    return {"use_dictionary": False, "column_encoding": {"text": name}}


def engine_of(pieces: int, stops: int) -> Any:
    """An engine that decodes texts, in pieces of so many rows, as far as it does; Arrow stands for cuDF."""

    def decode(path: str, group: int, columns: Sequence[str]) -> Iterator[dict[str, pa.LargeStringArray]]:
        table = pq.ParquetFile(path).read_row_group(group, columns=list(dict.fromkeys(columns)), use_threads=False)
        for at in range(0, min(stops, len(table)), pieces):
            piece = table.slice(at, pieces).combine_chunks()
            asked.append(piece.num_rows)
            yield {name: piece[name].chunk(0).cast(pa.large_string()) for name in piece.column_names}

    asked: list[int] = []
    return SimpleNamespace(
        read_bytes=64, read_lines=cpu.read_lines, follow=cpu.follow, decode_parquet=decode, asked=asked
    )


def as_lines(blocks: Sequence[Block], limit: int, slice_bytes: int = 1 << 30) -> list[Ingested]:
    """What every row is when all of it becomes JSON."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(CONTAINERS, "parquet", CONTAINERS["parquet"]._replace(read_texts=None))
        return list(read_slices(blocks, max_row_bytes=limit, slice_bytes=slice_bytes))


def together(slices: Sequence[Ingested]) -> Ingested:
    before = np.cumsum([0, *(one.rows_in for one in slices)])
    return Ingested(
        rows=pa.concat_tables([ROWS.empty_table(), *(one.rows for one in slices)]),
        rejected=pa.concat_tables([LEDGER.empty_table(), *(one.rejected for one in slices)]),
        places=np.concatenate([one.places + at for one, at in zip(slices, before, strict=False)]),
        rejected_places=np.concatenate([one.rejected_places + at for one, at in zip(slices, before, strict=False)]),
        rows_in=sum(one.rows_in for one in slices),
        bytes_in=sum(one.bytes_in for one in slices),
    )


def assert_same(one: Ingested, other: Ingested) -> None:
    one.rows.validate(full=True)
    assert one.rows.equals(other.rows)
    assert one.rejected.equals(other.rejected)
    assert (one.rows_in, one.bytes_in) == (other.rows_in, other.bytes_in)
    assert np.array_equal(one.places, other.places)
    assert np.array_equal(one.rejected_places, other.rejected_places)


def blocks_of(folder: Path, table: pa.Table, source: dict[str, Any], part_bytes: int, **options: Any) -> list[Block]:
    path = folder / "rows.parquet"
    pq.write_table(table, path, **options)
    found = survey(Source.model_validate({"name": "s", "path": str(path), **source}), part_bytes=part_bytes)
    return list(found.blocks)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    table=tables(),
    source=st.sampled_from(sorted(SOURCES)),
    group=st.integers(1, 30),
    part_bytes=st.sampled_from([1, 100, 1 << 20]),
    batch=st.sampled_from([1, 60, 1 << 20]),
    chunk=st.sampled_from([1, 100, 1 << 20]),
    limit=st.sampled_from([60, 1 << 20]),
    slice_bytes=st.sampled_from([1, 200, 1 << 20]),
    pieces=st.integers(1, 30),
    stops=st.sampled_from([0, 3, 100]),
    constants=st.sampled_from([(), (("é", "1"), ("day", '"x"')), (("text", '"never"'),)]),
    dictionary=st.booleans(),
)
def test_rows_are_those_of_json_lines(
    tmp_path: Path,
    table: pa.Table,
    source: str,
    group: int,
    part_bytes: int,
    batch: int,
    chunk: int,
    limit: int,
    slice_bytes: int,
    pieces: int,
    stops: int,
    constants: tuple[tuple[str, str], ...],
    dictionary: bool,
) -> None:
    options = {"row_group_size": group, "use_dictionary": dictionary}
    found = blocks_of(tmp_path, table, {**SOURCES[source], "skip_invalid": True}, part_bytes, **options)
    blocks = [dataclasses.replace(block, constants=constants) for block in found]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parquet, "_BATCH", batch)
        patch.setattr(lines, "CHUNK", chunk)
        expected = as_lines(blocks, limit, slice_bytes)
        read = list(read_slices(blocks, max_row_bytes=limit, slice_bytes=slice_bytes))
        for one, other in zip(read, expected, strict=True):  # cut at the same rows
            assert_same(one, other)
        engine = engine_of(pieces, stops)
        read = list(read_slices(blocks, max_row_bytes=limit, slice_bytes=slice_bytes, engine=engine))
        assert_same(together(read), together(expected))


def test_no_json_is_made_of_texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor are the lines' kernels asked."""
    table = pa.table({"n": range(3000), "text": [f'some "text" {number}\n' * 40 for number in range(3000)]})
    blocks = blocks_of(tmp_path, table, SOURCES["text"], 1 << 30, row_group_size=700)
    (expected,) = as_lines(blocks, 1 << 20)
    monkeypatch.delattr("pipeline.ingest.plain.read_rows")
    monkeypatch.delattr("pipeline.ingest.read.parse")
    seen: set[tuple[str, ...]] = set()
    before = batch_texts.objects_of_batch

    def objects(batch: pa.RecordBatch, constants: Any) -> Iterator[Any]:
        seen.add(tuple(batch.schema.names))
        return before(batch, constants)

    monkeypatch.setattr(batch_texts, "objects_of_batch", objects)
    assert_same(read_blocks(blocks, max_row_bytes=1 << 20), expected)
    assert expected.rows_in == 3000
    assert seen == {("n",)}


def test_an_engine_decodes_the_texts_of_local_files_as_far_as_it_does(tmp_path: Path) -> None:
    table = pa.table({"n": range(100), "text": [None if number == 7 else f"text {number}" for number in range(100)]})
    source = {**SOURCES["text"], "skip_invalid": True}
    for codec, stops, asked in (("zstd", 100, [9, 9, 9, 9, 4]), ("lz4", 100, []), ("snappy", 18, [9, 9])):
        blocks = blocks_of(tmp_path, table, source, 1 << 30, row_group_size=40, compression=codec)
        engine = engine_of(9, stops)
        bounds = {"max_row_bytes": 1 << 20, "slice_bytes": 1 << 20}
        read = read_slices(blocks, **bounds, engine=engine)
        assert_same(together(list(read)), together(as_lines(blocks, 1 << 20)))
        assert engine.asked[: len(asked) + 1] == [*asked, *asked][: len(asked) + 1]


@pytest.mark.parametrize(
    ("table", "options", "location", "asked"),
    [
        (pa.table({"text": ["a"], "n": [1]}), {}, "rows.parquet", True),
        (pa.table({"text": pa.array(["a"], pa.large_string())}), {"compression": "none"}, "rows.parquet", True),
        (pa.table({"text": ["a"]}), {}, "s3://bucket/rows.parquet", False),
        (pa.table({"text": ["a"]}), {"compression": "lz4"}, "rows.parquet", False),
        (pa.table({"text": ["a"]}), encoded_as("DELTA_LENGTH_BYTE_ARRAY"), "rows.parquet", True),
        (pa.table({"text": ["a"]}), encoded_as("DELTA_BYTE_ARRAY"), "rows.parquet", False),
        (pa.table({"text": pa.array(["a"]).dictionary_encode()}), {}, "rows.parquet", False),
        (pa.table({"text": [b"a"]}), {}, "rows.parquet", False),
        (pa.table({"text": [["a"]]}), {}, "rows.parquet", False),
        (pa.table({"text": ["a"], "a.b": [1]}), {}, "rows.parquet", False),
        (pa.table([pa.array(["a"]), pa.array(["b"])], names=["text", "text"]), {}, "rows.parquet", False),
        (pa.table({"body": ["a"]}), {}, "rows.parquet", False),
    ],
)
def test_what_an_engine_is_asked_for(
    tmp_path: Path, table: pa.Table, options: dict[str, Any], location: str, asked: bool
) -> None:
    pq.write_table(table, tmp_path / "rows.parquet", **options)
    assert decodable(pq.ParquetFile(tmp_path / "rows.parquet"), 0, ["text"], location) is asked


@pytest.mark.parametrize(
    ("others", "message"),
    [({"n": [1, 2]}, "its columns differ in length"), ({}, "more rows were decoded than it holds")],
)
def test_more_rows_than_there_are_is_an_error(tmp_path: Path, others: dict[str, list[int]], message: str) -> None:
    blocks = blocks_of(tmp_path, pa.table({"text": ["one", "two"], **others}), SOURCES["text"], 1 << 20)
    engine = engine_of(2, 2)
    decode = engine.decode_parquet
    engine.decode_parquet = lambda *which: [*decode(*which), *decode(*which)]
    with pytest.raises(InputError, match=message):
        list(read_slices(blocks, max_row_bytes=1 << 20, slice_bytes=1 << 20, engine=engine))


@pytest.mark.parametrize(
    ("source", "group", "stops", "room", "honest"),
    [
        ("text", 40, 30, 600_000, True),
        ("one text twice", 40, 40, 600_000, True),
        ("one text twice", 40, 30, 600_000, True),
        ("text", 40, 40, 200_000, False),
        ("text", 40, 30, 300_000, False),
        ("text", 20, 20, 300_000, False),
    ],
)
def test_what_an_engine_decodes_counts_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, group: int, stops: int, room: int, honest: bool
) -> None:
    """Of what a file may decode to: 400 kB of texts."""
    monkeypatch.setattr(packed, "FREE", room)
    table = pa.table({"text": ["word " * 2000] * 40, "n": range(40)})
    blocks = blocks_of(tmp_path, table, {**SOURCES[source], "max_expansion": 1}, 1 << 20, row_group_size=group)
    decoded, engine = 0, engine_of(10, stops)
    with nullcontext() if honest else pytest.raises(InputError, match="decompression bomb"):
        for some in read_slices(blocks, max_row_bytes=1 << 20, slice_bytes=1, engine=engine):
            decoded += some.rows_in
    assert decoded == 40 if honest else decoded < room // 10_000


@pytest.mark.parametrize("column", [pa.array(["x" * 20_000] * 3000).dictionary_encode(), pa.nulls(9000)])
def test_no_more_rows_are_joined_than_are_safe_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, column: pa.Array
) -> None:
    """However few bytes a batch says that it has."""
    table = pa.table({"text": [f"text {number}" for number in range(len(column))], "shared": column})
    blocks = blocks_of(tmp_path, table, {**SOURCES["text"], "max_expansion": 1 << 20}, 1 << 20)
    rows, before = [], parquet.read_texts

    def read(batch: pa.RecordBatch, *others: Any) -> Any:
        rows.append(batch.num_rows)
        return before(batch, *others)

    monkeypatch.setattr(parquet, "read_texts", read)
    for block in blocks:
        for _ in parquet.read_parquet_texts(block, ["text"], None, max_row_bytes=1 << 20):
            pass
    (safe,) = {safe_rows(pq.ParquetFile(block.location, read_dictionary=["shared"]), 0) for block in blocks}
    assert sum(rows) == len(column)
    assert safe // 2 < max(rows) <= safe


def test_rows_that_are_not_utf8_leave_the_others_to_be_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = [b"\xff" if number % 100 == 7 else None if number % 9 == 0 else b"some words" for number in range(1000)]
    for column in (pa.array(values), unchecked(values), pa.array(values).dictionary_encode()):
        blocks = blocks_of(tmp_path, pa.table({"text": column}), {**SOURCES["text"], "skip_invalid": True}, 1 << 20)
        (expected,) = as_lines(blocks, 1 << 20)
        seen = []
        for some in parquet.read_parquet_texts(blocks[0], ["text"], None, max_row_bytes=1 << 20):
            assert some.read is not None
            seen += some.read.plain.tolist()
        assert seen == [value == b"some words" for value in values]
        with monkeypatch.context() as patch:
            patch.delattr("pipeline.ingest.plain.read_rows")
            assert_same(read_blocks(blocks, max_row_bytes=1 << 20), expected)


@pytest.mark.parametrize(
    "table",
    [
        pa.table({"text": pa.array([b"abcd"] * 9, pa.binary(4))}),
        pa.table({"text": pa.array(['"some words"'] * 9, pa.json_())}),
        pa.table({"n": range(9)}),
        pa.table([["some words"] * 9, ["more words"] * 9], names=["text", "text"]),
    ],
)
def test_what_is_no_column_of_texts_is_read_by_the_kernel_of_lines(
    tmp_path: Path, table: pa.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By an engine's too; a text that is a constant as well."""
    columns = {} if "text" in table.schema.names else {"columns": {"text": "n"}}  # else it is not even surveyed
    found = blocks_of(tmp_path, table, {**SOURCES["text"], **columns, "skip_invalid": True}, 1 << 20)
    source = found[0].source.model_copy(update={"columns": {}})
    blocks = [dataclasses.replace(one, source=source, constants=(("text", '"one for all"'),)) for one in found]
    (expected,) = as_lines(blocks, 1 << 20)
    read, engine = [], engine_of(9, 9)
    engine.read_lines = lambda *given: read.append(cpu.read_lines(*given)) or read[-1]
    monkeypatch.delattr("pipeline.ingest.read.parse")
    assert_same(read_blocks(blocks, max_row_bytes=1 << 20), expected)
    assert_same(
        together(list(read_slices(blocks, max_row_bytes=1 << 20, slice_bytes=1 << 20, engine=engine))), expected
    )
    assert sum(len(one.plain) for one in read) == 9


@pytest.mark.parametrize("source", ["text", "completion"])
@pytest.mark.parametrize("others", [{}, {"n": [1, 2]}])
def test_the_bytes_of_rows_are_those_of_their_json(tmp_path: Path, source: str, others: dict[str, list[int]]) -> None:
    """To the one that is too many."""
    texts = {"text": ["one", 'a "word"'], "output": ["two", "é\n"]}
    table = pa.table({**({"text": texts["text"]} if source == "text" else texts), **others})
    blocks = blocks_of(tmp_path, table, {**SOURCES[source], "skip_invalid": True}, 1 << 20)
    (expected,) = as_lines(blocks, 1 << 20)
    assert_same(read_blocks(blocks, max_row_bytes=1 << 20), expected)
    (whole,) = parquet.read_parquet(blocks[0], max_row_bytes=1 << 20)
    longest = int(whole.sizes.max())
    for limit in (longest, longest - 1):
        read = read_blocks(blocks, max_row_bytes=limit)
        assert_same(read, as_lines(blocks, limit)[0])
        assert len(read.rejected) == longest - limit


def test_nulls_of_pieces_larger_than_batches_are_where_they_are(tmp_path: Path) -> None:
    texts = [None if number % 7 == 0 else f"text {number} " * (number % 5) for number in range(3000)]
    table = pa.table({"text": texts, "n": range(3000)})
    blocks = blocks_of(tmp_path, table, {**SOURCES["text"], "skip_invalid": True}, 1 << 20)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parquet, "_BATCH", 1 << 10)
        (expected,) = as_lines(blocks, 1 << 20)
        (read,) = read_slices(blocks, max_row_bytes=1 << 20, slice_bytes=1 << 20, engine=engine_of(2000, 3000))
    assert_same(read, expected)


@pytest.mark.parametrize("others", [{}, {"n": [1, 2]}])
def test_a_constant_under_the_key_of_a_text_is_nowhere(tmp_path: Path, others: dict[str, list[int]]) -> None:
    found = blocks_of(tmp_path, pa.table({"text": ["one", "two"], **others}), SOURCES["text"], 1 << 20)
    constants = (("text", '"never"'), ("day", '"x"'))
    blocks = [dataclasses.replace(block, constants=constants) for block in found]
    (expected,) = as_lines(blocks, 1 << 20)
    assert_same(read_blocks(blocks, max_row_bytes=1 << 20), expected)
    assert "never" not in repr(expected.rows.to_pylist())
