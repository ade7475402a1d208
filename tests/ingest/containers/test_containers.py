"""Whatever a file is called and packed with, the same rows come out, however it is cut."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.config import Source
from pipeline.errors import InputError, RecipeError
from pipeline.ingest import check_source, survey
from pipeline.ingest import packed as packed_files
from tests.ingest.conftest import MakeSource, ingest, rejected_of, rows_of
from tests.ingest.formats.test_instructions import turns_of
from tests.text.columns import shared

SLOW = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=8)


def zstd_in_frames(data: bytes, size: int = 100) -> bytes:
    pieces = [data[at : at + size] for at in range(0, len(data), size)] or [b""]
    skippable = b"\x50\x2a\x4d\x18\x03\x00\x00\x00abc"
    return skippable + b"".join(pa.compress(piece, codec="zstd", asbytes=True) for piece in pieces)


CODECS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstd_in_frames,
}


def as_jsonl(rows: list[dict[str, str]]) -> bytes:
    return b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)


def as_json(rows: list[dict[str, str]]) -> bytes:
    return json.dumps(rows, indent=1, ensure_ascii=False).encode()


def as_csv(rows: list[dict[str, str]], delimiter: str = ",") -> bytes:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, ["input", "output"], delimiter=delimiter, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def as_parquet(rows: list[dict[str, str]]) -> bytes:
    out = io.BytesIO()
    table = pa.table({key: pa.array([row[key] for row in rows], pa.string()) for key in ("input", "output")})
    pq.write_table(table, out, row_group_size=3)
    return out.getvalue()


FORMS: dict[str, Callable[[list[dict[str, str]]], bytes]] = {
    "rows.jsonl": as_jsonl,
    "rows.json": as_json,
    "rows.csv": as_csv,
    "rows.tsv": lambda rows: as_csv(rows, "\t"),
    "rows.parquet": as_parquet,
}
cells = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from('",\n\t[]{}\\é'), max_size=12).map(
    "x{}".format
)
tables = st.lists(st.fixed_dictionaries({"input": cells, "output": cells}), max_size=25)


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("file", FORMS)
@SLOW
@given(rows=tables, part_bytes=st.integers(40, 400))
def test_every_form_and_codec_gives_the_same_rows(
    make_source: MakeSource, file: str, codec: str, rows: list[dict[str, str]], part_bytes: int
) -> None:
    if file == "rows.parquet" and codec:
        return  # it packs its pages itself
    source = make_source(CODECS[codec](FORMS[file](rows)), file=file + codec, kind="pair", format="completion")
    parts = ingest(source, part_bytes=part_bytes)
    assert rejected_of(parts) == []
    found = rows_of(parts)
    assert [[turn["content"] for turn in row["messages"]] for row in found] == [
        [row["input"], row["output"]] for row in rows
    ]
    assert [row["id"] for row in found] == [f"s/{file}{codec}#{number}" for number in range(len(rows))]


@pytest.mark.parametrize("file", ["rows.jsonl", "rows.json", "rows.csv", "rows.parquet", "rows.jsonl.zst"])
def test_a_large_file_is_cut_for_many_workers(make_source: MakeSource, file: str) -> None:
    rows = [{"input": f"question {number}", "output": "x" * (number % 50) + "."} for number in range(300)]
    data = FORMS[file.removesuffix(".zst")](rows)
    packed = zstd_in_frames(data, 500) if file.endswith(".zst") else data
    source = make_source(packed, file=file, kind="pair", format="completion")
    blocks = survey(source, part_bytes=1000).blocks
    assert len(blocks) > 5
    assert sum(block.lines or 0 for block in blocks) == 300
    assert len(rows_of(ingest(source, part_bytes=1000))) == 300


@pytest.mark.parametrize("file", ["rows.jsonl.gz", "rows.jsonl.bz2", "rows.jsonl.xz", "rows.json.gz", "rows.csv.xz"])
def test_what_cannot_be_cut_is_one_block(make_source: MakeSource, file: str) -> None:
    rows = [{"input": f"question {number}", "output": "x"} for number in range(300)]
    stem, _, codec = file.rpartition(".")
    source = make_source(CODECS["." + codec](FORMS[stem](rows)), file=file, kind="pair", format="completion")
    assert len(survey(source, part_bytes=1000).blocks) == 1


@pytest.mark.parametrize("codec", [".gz", ".bz2", ".xz", ".zst"])
def test_a_damaged_file_stops_the_run(make_source: MakeSource, codec: str) -> None:
    data = as_jsonl([{"text": f"{number * 7919}"} for number in range(400)])
    packed = CODECS[codec](data) if codec != ".zst" else pa.compress(data, codec="zstd", asbytes=True)
    for broken in (packed[:-9], b"no such thing", b""):
        with pytest.raises(InputError, match="damaged"):
            ingest(make_source(broken, file="rows.jsonl" + codec))


@pytest.mark.parametrize("file", ["rows.jsonl", "rows.json", "rows.csv"])
@pytest.mark.parametrize("kind", [".gz", ".bz2", ".xz", ".zst", ".zip", ".parquet"])
def test_a_packed_file_under_a_plain_name_stops_the_run(make_source: MakeSource, file: str, kind: str) -> None:
    """As rows it would be one that cannot be read among a million: the whole file lost, and nobody told."""
    rows = [{"input": f"{number * 7919}", "output": "x"} for number in range(20)]
    data = as_parquet(rows) if kind == ".parquet" else _packed(as_jsonl(rows), kind)
    with pytest.raises(InputError, match=rf"though its name does not say so(.|\n)*ends with {kind}"):
        survey(make_source(data, file=file, kind="pair", format="completion"), part_bytes=1000)
    plain = b"BZh1\nPAR1\nPK\n"
    assert len(rows_of(ingest(make_source(plain, file="lines.txt", sample_by="line")))) == 3


def test_suffixes_may_be_in_capitals(make_source: MakeSource) -> None:
    data = gzip.compress(as_jsonl([{"text": "a"}, {"text": "b"}]))
    assert len(rows_of(ingest(make_source(data, file="ROWS.JSONL.GZ")))) == 2


def _packed(data: bytes, kind: str) -> bytes:
    if kind != ".zip":
        return pa.compress(data, codec="zstd", asbytes=True) if kind == ".zst" else CODECS[kind](data)
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("rows.jsonl", data)
    return held.getvalue()


@pytest.mark.parametrize("codec", [".gz", ".bz2", ".xz", ".zst"])
@pytest.mark.parametrize("content", [b"\n", b"x"])
def test_a_bomb_is_bounded(
    make_source: MakeSource, monkeypatch: pytest.MonkeyPatch, codec: str, content: bytes
) -> None:
    monkeypatch.setattr(packed_files, "FREE", 1 << 20)
    data = content * (3 << 20)
    packed = pa.compress(data, codec="zstd", asbytes=True) if codec == ".zst" else CODECS[codec](data)
    with pytest.raises(InputError, match="decompression bomb"):
        ingest(make_source(packed, file="rows.jsonl" + codec, max_expansion=100))


def test_json_may_be_values_one_behind_another(make_source: MakeSource) -> None:
    data = b'\xef\xbb\xbf {"text":\n"a"} {"text":"b"}\n\n3 "x" [1] true'
    for part_bytes in (1, 1000):
        parts = ingest(make_source(data, file="rows.json"), part_bytes=part_bytes)
        assert [row["messages"][0]["content"] for row in rows_of(parts)] == ["a", "b"]
        assert [entry["id"] for entry in rejected_of(parts)] == [f"s/rows.json#{number}" for number in (2, 3, 4, 5)]


@pytest.mark.parametrize("codec", ["", ".gz"])
@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b'[{"text":"a"}', "the array does not end"),
        (b'[{"text":"a"', "the array does not end"),
        (b'{"text":"a"', "it ends inside a value"),
        (b'[{"text":"a"}][{"text":"b"}]', "something follows the end of the array"),
    ],
)
def test_json_that_ends_too_early_stops_the_run(make_source: MakeSource, codec: str, data: bytes, says: str) -> None:
    with pytest.raises(InputError, match=says):
        ingest(make_source(CODECS[codec](data), file="rows.json" + codec))


def test_a_field_of_an_object_holds_the_rows(make_source: MakeSource) -> None:
    data = b'{"version": {"x": ["]"]}, "n": 1.0, "rows": [{"text":"a"}, {"text":"b"}], "rest": [{"text":"c"}]}'
    for codec in ("", ".gz"):
        source = make_source(CODECS[codec](data), file="rows.json" + codec, field="rows")
        assert [row["messages"][0]["content"] for row in rows_of(ingest(source, part_bytes=1))] == ["a", "b"]
    with pytest.raises(InputError, match="did you mean 'rows'"):
        survey(source.model_copy(update={"field": "row"}), part_bytes=9)


@pytest.mark.parametrize(("key", "file"), [({"field": "rows"}, "rows.jsonl"), ({"sample_by": "line"}, "rows.jsonl")])
def test_a_key_that_no_file_can_use_is_refused(make_source: MakeSource, key: dict[str, Any], file: str) -> None:
    source = make_source(b'{"text": "a"}\n', file=file, **key)
    for look in (lambda: check_source(source), lambda: survey(source, part_bytes=9)):
        with pytest.raises(RecipeError, match=f"`{next(iter(key))}` has no effect: none of the source's files is"):
            look()
    used = make_source(b"a\nb\n" if "sample_by" in key else b'{"rows": [{"text":"a"}, {"text":"b"}]}',
                       file="rows.txt" if "sample_by" in key else "rows.json", **key)  # fmt: skip
    check_source(used.model_copy(update={"path": str(Path(used.path or "").parent / "rows.*")}))  # one file is enough
    assert [row["messages"][0]["content"].strip() for row in rows_of(ingest(used, part_bytes=1))] == ["a", "b"]


def test_a_record_longer_than_allowed_is_rejected_without_being_held(make_source: MakeSource) -> None:
    rows = [{"input": "a", "output": "b"}, {"input": "x" * (3 << 20), "output": "y"}, {"input": "c", "output": "d"}]
    for file in ("rows.json", "rows.csv", "rows.jsonl", "rows.parquet"):
        parts = ingest(make_source(FORMS[file](rows), file=file, kind="pair", format="completion"))
        assert [row["id"] for row in rows_of(parts)] == [f"s/{file}#0", f"s/{file}#2"]
        (rejected,) = rejected_of(parts)
        assert (rejected["rule"], rejected["id"]) == ("too_long", f"s/{file}#1")
        assert rejected["value"] > 3 << 20


def test_csv_says_what_is_wrong_with_a_record(make_source: MakeSource) -> None:
    data = b'text,n\na,1\nb\n"c"d,2\n\xff,3\n\ne,5\n'
    parts = ingest(make_source(data, file="rows.csv"))
    assert [(row["id"], row["metadata"]) for row in rows_of(parts)] == [
        ("s/rows.csv#0", '{"n":"1"}'), ("s/rows.csv#5", '{"n":"5"}')
    ]  # fmt: skip
    assert [entry["rule"] for entry in rejected_of(parts)] == ["malformed_csv", "malformed_csv", "invalid_utf8"]
    assert "1 cells, but 2 columns" in rejected_of(parts)[0]["evidence"]


@pytest.mark.parametrize("header", [b"", b"text,text\n", b"text,,x\n", b"\xff\n"])
def test_csv_needs_names_for_its_columns(make_source: MakeSource, header: bytes) -> None:
    with pytest.raises(InputError, match="does not name the columns"):
        survey(make_source(header + b"a,b\n" if header else b"", file="rows.csv"), part_bytes=100)


@pytest.mark.parametrize("file", ["rows.csv", "rows.parquet"])
def test_a_missing_column_is_named_before_anything_is_read(make_source: MakeSource, file: str) -> None:
    data = FORMS[file]([{"input": "a", "output": "b"}])
    with pytest.raises(InputError) as caught:
        survey(
            make_source(data, file=file, kind="pair", format="completion", columns={"output": "outptu"}), part_bytes=9
        )
    assert "no column 'outptu' (did you mean 'output'?)" in str(caught.value)
    assert "input, output" in caught.value.mend


def test_parquet_structs_get_no_nulls(make_source: MakeSource, tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"messages": [{"role": "user", "content": "Hi"}], "n": 1},
        {
            "messages": [
                {"role": "user", "content": "Hi"},
                {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "{}"}}]},
            ],
            "n": None,
        },
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "rows.parquet")
    source = make_source((tmp_path / "rows.parquet").read_bytes(), file="rows.parquet", kind="chat", format="chat")
    one, two = rows_of(ingest(source))
    assert [turn["extra"] for turn in one["messages"]] == [None]
    assert json.loads(two["messages"][1]["extra"]) == {"tool_calls": rows[1]["messages"][1]["tool_calls"]}
    assert (one["metadata"], two["metadata"]) == ('{"n":1}', '{"n":null}')


def test_a_file_that_is_no_parquet_is_refused(make_source: MakeSource) -> None:
    with pytest.raises(InputError, match="the Parquet file cannot be read"):
        survey(make_source(b"PAR1 or not", file="rows.parquet"), part_bytes=100)


def test_plain_text_is_a_row_a_file_or_a_line(make_source: MakeSource) -> None:
    data = "\ufeffOne\n\ntwo é\n".encode()
    (row,) = rows_of(ingest(make_source(data, file="a.txt")))
    assert (turns_of(row), row["metadata"]) == ([("text", "One\n\ntwo é\n")], '{"path":"a.txt"}')
    for part_bytes in (1, 100):
        lines = rows_of(ingest(make_source(data, file="a.txt", sample_by="line"), part_bytes=part_bytes))
        assert [(line["id"], turns_of(line)) for line in lines] == [
            ("s/a.txt#0", [("text", "One")]), ("s/a.txt#2", [("text", "two é")]),
        ]  # fmt: skip
    parts = ingest(make_source(b"\xff", file="a.txt")) + ingest(make_source(b"x" * 70_000, file="a.txt"))
    assert [entry["rule"] for entry in rejected_of(parts)] == ["invalid_utf8", "too_long"]
    with pytest.raises(RecipeError, match="holds texts"):
        check_source(make_source(data, file="a.txt", kind="pair", format="completion"))


def test_published_files_are_read_as_they_are() -> None:
    def read(path: str, **keys: Any) -> list[dict[str, Any]]:
        folder, _, name = path.partition("/")
        parts = ingest(
            Source.model_validate({"name": "s", "path": str(shared(folder) / name), **keys}), max_row_bytes=1 << 20
        )
        assert rejected_of(parts) == []
        return rows_of(parts)

    squad = read("eval-xquad-en/xquad.en.json.gz", kind="chat", format="squad")
    assert len(squad) == 1190
    assert squad[0]["id"] == "s/xquad.en.json.gz#0.0"
    assert len(read("chat-llamafactory-demos/glaive*.json.gz", kind="chat", format="sharegpt")) == 300
    banking = {"kind": "pair", "format": "columns", "columns": {"question": "text", "answer": "category"}}
    assert len(read("retrieval-triples/train.csv.gz", **banking)) == 10003
    codegen = {"kind": "pair", "format": "alpaca", "columns": {"output": "response"}}
    assert len(read("instruct-gpteacher-code/*.json.gz", **codegen)) == 4535
