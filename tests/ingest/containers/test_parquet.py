"""Parquet: a form in JSON for what a column may hold, and memory that does not grow with what a value repeats."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.errors import InputError
from pipeline.ingest import packed as packed_files
from pipeline.ingest import survey
from pipeline.ingest.containers import parquet
from pipeline.ingest.containers.arrow_json import values_of
from pipeline.ingest.rejected import Rejected
from tests.ingest.conftest import MakeSource, ingest, rejected_of, rows_of

BAD = pa.Array.from_buffers(
    pa.string(), 3, [None, pa.py_buffer(b"\0\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0"), pa.py_buffer(b"a\xffb")]
)
"""Three strings, of which the second is not UTF-8: Parquet does not look."""


def file_of(table: pa.Table, **options: Any) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out, **options)
    return out.getvalue()


@pytest.mark.parametrize(
    ("array", "values"),
    [
        (pa.array([0, 1], pa.timestamp("ns")), ["1970-01-01T00:00:00", "1970-01-01T00:00:00.000000001"]),
        (pa.array([-1], pa.timestamp("ns")), ["1969-12-31T23:59:59.999999999"]),
        (pa.array([1500, None], pa.timestamp("us")), ["1970-01-01T00:00:00.001500", None]),
        (pa.array([0], pa.timestamp("ms", "Europe/Oslo")), ["1970-01-01T01:00:00+01:00"]),
        (pa.array([253402300800], pa.timestamp("s")), ["+10000-01-01T00:00:00"]),
        (pa.array([-62167219201], pa.timestamp("s")), ["-0001-12-31T23:59:59"]),
        (pa.array([0, -1], pa.date32()), ["1970-01-01", "1969-12-31"]),
        (pa.array([3 * 86_400_000], pa.date64()), ["1970-01-04"]),
        (pa.array([1500, 0], pa.time64("ns")), ["00:00:00.000001500", "00:00:00"]),
        (pa.array([-1500, 90_000_000], pa.duration("ms")), ["-PT1.5S", "PT90000S"]),
        (pa.array([b"ab", b"\xff\x00", None]), ["ab", {"base64": "/wA="}, None]),
        (pa.array([b"\x01\xfe"], pa.binary(2)), [{"base64": "Af4="}]),
        (pa.array([[(1, "a"), (2, None)], None], pa.map_(pa.int32(), pa.string())), [{"1": "a", "2": None}, None]),
        (pa.array([[("k", "x"), ("k", "y")]], pa.map_(pa.string(), pa.string())), [{"k": "y"}]),
        (pa.array([[1], None, [], [2]], pa.list_(pa.date32())).slice(1), [None, [], ["1970-01-03"]]),
        (pa.array([[1, 2], None], pa.list_(pa.date32(), 2)), [["1970-01-02", "1970-01-03"], None]),
        (pa.array([{"d": 0}, None], pa.struct([("d", pa.date32())])), [{"d": "1970-01-01"}, None]),
        (pa.array(["a", None, "a"]).dictionary_encode(), ["a", None, "a"]),
        (pa.array([Decimal("1.50")]), ["1.50"]),
    ],
)  # fmt: skip
def test_every_type_has_a_form(array: pa.Array, values: list[Any]) -> None:
    assert values_of(array) == values


def test_times_are_written_as_the_standard_library_writes_them() -> None:
    for unit, values in {"s": [0, 1 << 33, -(1 << 33)], "us": [10**15 + 7, -(10**15) + 7]}.items():
        for zone in (None, "UTC", "Asia/Kolkata"):
            array = pa.array(values, pa.timestamp(unit, zone))
            assert values_of(array) == [one.as_py().isoformat() for one in array]


def test_what_has_no_form_is_a_reason() -> None:
    assert [isinstance(one, Rejected) for one in values_of(BAD)] == [False, True, False]
    lists = values_of(pa.ListArray.from_arrays([0, 2, 3], BAD))
    assert [isinstance(one, Rejected) for one in lists] == [True, False]
    structs = values_of(pa.StructArray.from_arrays([BAD], ["x"]))
    assert [isinstance(one, Rejected) for one in structs] == [False, True, False]
    (interval,) = values_of(pa.array([(1, 2, 3)], pa.month_day_nano_interval()))
    assert (interval.rule, str(interval)) == ("wrong_type", "the type month_day_nano_interval has no form in JSON")


def test_metadata_of_any_type_rejects_no_row(make_source: MakeSource) -> None:
    table = pa.table(
        {
            "text": ["one", "two"],
            "at": pa.array([1, 2], pa.timestamp("ns")),
            "far": pa.array([1 << 60, 0], pa.timestamp("us")),
            "image": pa.array([{"bytes": b"\x89PNG", "path": None}] * 2),
            "took": pa.array([1, 2], pa.duration("us")),
            "scores": pa.array([[(1, 0.5), (1, 0.75)], []], pa.map_(pa.int64(), pa.float64())),
        }
    )
    for options in ({}, {"use_deprecated_int96_timestamps": True}):
        parts = ingest(make_source(file_of(table, **options), file="rows.parquet"))
        assert rejected_of(parts) == []
        first, _ = (json.loads(row["metadata"]) for row in rows_of(parts))
        assert first["at"] == "1970-01-01T00:00:00.000000001"
        assert first["image"] == {"bytes": {"base64": "iVBORw=="}}
        assert (first["took"], first["scores"]) == ("PT0.000001S", {"1": 0.75})
        if not options:
            assert first["far"] == f"+{np.datetime64(1 << 60, 'us')}"


def test_only_the_row_that_cannot_be_read_is_rejected(make_source: MakeSource) -> None:
    parts = ingest(make_source(file_of(pa.table({"text": ["one", "two", "six"], "note": BAD})), file="rows.parquet"))
    assert [row["messages"][0]["content"] for row in rows_of(parts)] == ["one", "six"]
    (line,) = rejected_of(parts)
    assert line["rule"] == "invalid_utf8"
    assert line["evidence"].endswith("rows.parquet:2: column 'note': a string is not UTF-8")


def test_a_picture_is_no_text(make_source: MakeSource) -> None:
    parts = ingest(make_source(file_of(pa.table({"text": [b"plain", b"\x89PNG"]})), file="rows.parquet"))
    assert [row["messages"][0]["content"] for row in rows_of(parts)] == ["plain"]
    assert [line["rule"] for line in rejected_of(parts)] == ["wrong_type"]


def test_a_file_that_decodes_to_far_more_than_it_is_stops_the_run(
    make_source: MakeSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packed_files, "FREE", 1 << 20)
    data = file_of(pa.table({"text": ["x" * 30_000] * 2000}), compression="zstd")
    assert len(data) < 1000
    with pytest.raises(InputError, match="looks like a decompression bomb"):
        ingest(make_source(data, file="rows.parquet"))
    assert len(rows_of(ingest(make_source(data, file="rows.parquet", max_expansion=3_000_000)))) == 2000


@pytest.mark.parametrize("nested", [False, True])
def test_a_batch_is_bounded_by_what_its_rows_decode_to(
    make_source: MakeSource, monkeypatch: pytest.MonkeyPatch, nested: bool
) -> None:
    # Small rows first, so that what rows came to so far says nothing of those that follow.
    values = ["x"] * 4000 + ["y" * 30_000] * 2000
    column = pa.array([[{"t": one}] for one in values]) if nested else pa.array(values)
    data = file_of(pa.table({"text": ["a"] * len(values), "note": column}))
    sizes = list[int]()
    before = parquet._batches

    def batches(*arguments: Any) -> Iterator[pa.RecordBatch]:
        for batch in before(*arguments):
            sizes.append(batch.nbytes)
            yield batch

    monkeypatch.setattr(parquet, "_batches", batches)
    source = make_source(data, file="rows.parquet", max_expansion=10_000)
    assert len(rows_of(ingest(source))) == len(values)
    assert sum(sizes) > 60_000_000
    assert max(sizes) < 18 << 20


def test_parts_are_planned_by_what_the_footer_says_of_repeated_values(make_source: MakeSource) -> None:
    table = pa.table({"text": ["a repeated line of some length"] * 5000})
    (block,) = survey(make_source(file_of(table), file="rows.parquet"), part_bytes=1 << 30).blocks
    assert block.bytes == 5000 * 30
