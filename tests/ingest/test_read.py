from __future__ import annotations

import json
from collections import Counter
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.config import Source
from pipeline.engines import cpu
from pipeline.ingest import plan_parts, read_blocks, read_slices, streams, survey
from pipeline.ingest.rejected import RULES
from pipeline.schema import LEDGER, ROWS
from tests.ingest.conftest import MakeSource, ingest, rejected_of, rows_of

GOOD = b'{"text":"some words","n":1.0e5}'
LINES = st.lists(
    st.binary(max_size=40).map(lambda line: line.replace(b"\n", b""))
    | st.sampled_from([GOOD, b'{"text":" "}', b'{"text":null}', b'{"text":3}', b'{"txt":"x"}', b"", b"[]", GOOD * 40]),
    max_size=30,
)
SLOW = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def row(id: str, *messages: tuple[str, str, str | None], kind: str = "text", **more: Any) -> dict[str, Any]:
    turns = [{"role": role, "content": content, "extra": extra} for role, content, extra in messages]
    return {"id": id, "source": "s", "kind": kind, "messages": turns, "tools": None, "metadata": None} | more


@SLOW
@given(LINES)
def test_every_line_that_is_not_blank_is_a_row_or_in_the_ledger(make_source: MakeSource, lines: list[bytes]) -> None:
    parts = ingest(make_source(b"\n".join(lines)), max_row_bytes=100)
    rows, rejected = rows_of(parts), rejected_of(parts)
    numbers = [n for n, line in enumerate(lines) if line.removeprefix(b"\xef\xbb\xbf" if n == 0 else b"").strip()]
    assert sorted(int(entry["id"].rpartition("#")[2]) for entry in rows + rejected) == numbers
    for part in parts:
        assert part.rows_in == len(part.rows) + len(part.rejected)
        assert part.rows.schema == ROWS
        assert part.rejected.schema == LEDGER
        part.rows.validate(full=True)
    for entry in rejected:
        number = int(entry["id"].rpartition("#")[2])
        assert entry["id"] == f"s/rows.jsonl#{number}"
        assert entry["stage"] == "ingest"
        assert entry["rule"] in RULES
        assert f"rows.jsonl:{number + 1}: " in entry["evidence"]


@SLOW
@given(LINES, st.integers(1, 200))
def test_rows_ids_and_ledger_do_not_depend_on_where_files_are_cut(
    make_source: MakeSource, lines: list[bytes], part_bytes: int
) -> None:
    source = make_source(b"\n".join(lines))
    whole, cut = ingest(source, max_row_bytes=100), ingest(source, part_bytes=part_bytes, max_row_bytes=100)
    assert rows_of(cut) == rows_of(whole)
    assert rejected_of(cut) == rejected_of(whole)
    assert sum(part.bytes_in for part in cut) == sum(part.bytes_in for part in whole)


@SLOW
@given(LINES, st.integers(1, 300), st.integers(1, 60))
def test_slices_together_are_the_whole(
    make_source: MakeSource, lines_given: list[bytes], slice_bytes: int, chunk: int
) -> None:
    blocks = survey(make_source(b"\n".join(lines_given)), part_bytes=1 << 20).blocks
    whole = read_blocks(blocks, max_row_bytes=100)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams, "CHUNK", chunk)
        slices = list(read_slices(blocks, max_row_bytes=100, slice_bytes=slice_bytes))
        engine = SimpleNamespace(read_bytes=2 * chunk, read_lines=cpu.read_lines, follow=cpu.follow)
        by_engine = list(read_slices(blocks, max_row_bytes=100, slice_bytes=slice_bytes, engine=engine))
    assert pa.concat_tables([ROWS.empty_table(), *(one.rows for one in by_engine)]).equals(whole.rows)
    assert pa.concat_tables([LEDGER.empty_table(), *(one.rejected for one in by_engine)]).equals(whole.rejected)
    assert pa.concat_tables([ROWS.empty_table(), *(one.rows for one in slices)]).equals(whole.rows)
    assert pa.concat_tables([LEDGER.empty_table(), *(one.rejected for one in slices)]).equals(whole.rejected)
    assert sum(one.bytes_in for one in slices) == whole.bytes_in
    for one in slices:
        assert sorted([*one.places, *one.rejected_places]) == list(range(one.rows_in)) != []
        if one.bytes_in > slice_bytes * 9 // 8:
            # What one reading brought: the lines that end in a chunk, the first of which may begin before it.
            assert one.bytes_in < 101 + len(GOOD * 40) + chunk


def test_the_few_rows_beyond_a_full_slice_go_with_it(make_source: MakeSource, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "CHUNK", 64)
    length = len(GOOD)
    for rows, slices in ((80, [80]), (90, [90]), (100, [80, 20]), (170, [80, 90]), (190, [80, 80, 30])):
        blocks = survey(make_source(b"\n".join([GOOD] * rows)), part_bytes=1 << 20).blocks
        read = read_slices(blocks, max_row_bytes=100, slice_bytes=81 * length)
        assert [one.rows_in for one in read] == pytest.approx(slices, abs=1)


@SLOW
@given(st.integers(100_000, 10**9), st.sampled_from(["key", "value", "broken", "nested", "role"]))
def test_evidence_never_holds_what_a_row_says(make_source: MakeSource, number: int, place: str) -> None:
    secret = f"text{number}@example.com"
    line = {
        "key": json.dumps({secret: "x"}),
        "value": json.dumps({"text": [secret]}),
        "broken": json.dumps({"text": secret})[:-1] + secret,
        "nested": json.dumps({"messages": [{"role": "user", secret: None}]}),
        "role": json.dumps({"messages": [{"role": secret, "content": secret}]}),
    }[place]
    chat = place in ("nested", "role")
    source = make_source(line.encode(), kind="chat" if chat else "text", format="chat" if chat else "text")
    (entry,) = rejected_of(ingest(source))
    assert str(number) not in json.dumps({key: value for key, value in entry.items() if key != "evidence"})
    assert str(number) not in entry["evidence"].partition("rows.jsonl")[2]


@pytest.mark.parametrize(
    ("line", "rule", "reason"),
    [
        (b'{"text":', "malformed_json", "unexpected end of data at column 9"),
        (b'{"text":NaN}', "malformed_json", "NaN or Infinity at column 9 is not JSON"),
        (b'{"text":"\xff"}', "invalid_utf8", "byte 10 is not UTF-8"),
        (rb'{"text":"\ud800"}', "invalid_utf8", "a lone surrogate near column 10"),
        (b'["text"]', "wrong_type", "the row is a list, not an object"),
        (b'{"txet":"x"}', "missing_key", "no key 'text' (did you mean 'txet'?)"),
        (b"{}", "missing_key", "no key 'text'"),
        (b'{"text":null}', "null_value", "'text' is null"),
        (b'{"text":7}', "wrong_type", "'text' is a number, not a string"),
        (b'{"text":true}', "wrong_type", "'text' is a boolean, not a string"),
        (b'{"text":""}', "empty_text", "'text' is empty"),
        (b'{"text":" \\n\xe2\x80\x83\\t"}', "empty_text", "'text' is empty"),
        (b'{"text":"' + b"x" * 100 + b'"}', "too_long", "longer than ingest.max_row_bytes"),
    ],
)
def test_a_bad_line_is_in_the_ledger_with_its_reason_and_the_run_goes_on(
    make_source: MakeSource, line: bytes, rule: str, reason: str
) -> None:
    parts = ingest(make_source(GOOD + b"\n" + line + b"\n\n" + GOOD), max_row_bytes=100)
    assert [entry["id"] for entry in rows_of(parts)] == ["s/rows.jsonl#0", "s/rows.jsonl#3"]
    (entry,) = rejected_of(parts)
    assert (entry["id"], entry["rule"]) == ("s/rows.jsonl#1", rule)
    assert entry["evidence"].endswith(f"rows.jsonl:2: {reason}")
    assert (entry["value"], entry["threshold"]) == ((111.0, 100.0) if rule == "too_long" else (None, None))


def test_line_ends_byte_order_mark_and_last_line_make_no_difference(make_source: MakeSource) -> None:
    wanted = [row("s/rows.jsonl#0", ("text", "a", None)), row("s/rows.jsonl#1", ("text", "b", None))]
    lines = [b'{"text":"a"}', b'{"text":"b"}']
    for data in (
        b"\n".join(lines),
        b"\n".join(lines) + b"\n",
        b"\r\n".join(lines),
        b"\xef\xbb\xbf" + b"\n".join(lines),
    ):
        assert rows_of(ingest(make_source(data))) == wanted


def test_an_empty_file_has_no_rows_and_the_right_schema(make_source: MakeSource) -> None:
    source = make_source(b"")
    assert ingest(source) == []
    nothing = read_blocks((), max_row_bytes=1 << 20)
    assert (nothing.rows, nothing.rejected) == (ROWS.empty_table(), LEDGER.empty_table())
    assert (nothing.rows_in, nothing.bytes_in) == (0, 0)


def test_unusual_texts_come_through_as_they_are(make_source: MakeSource) -> None:
    texts = ["x", "a\r\nb", "\u00a0nbsp", "שלום עולם", "\x00", "\ufeff", "😀", "e\u0301", "\u2028line\u2029", "\\u0041"]
    data = "\n".join(json.dumps({"text": text}, ensure_ascii=index % 2 == 0) for index, text in enumerate(texts))
    assert [entry["messages"][0]["content"] for entry in rows_of(ingest(make_source(data.encode())))] == texts


def test_a_row_of_five_megabytes_is_read_under_the_default_limit(make_source: MakeSource) -> None:
    parts = ingest(make_source(json.dumps({"text": "word " * 1_000_000}).encode()), max_row_bytes=1 << 24)
    assert len(rows_of(parts)[0]["messages"][0]["content"]) == 5_000_000


def test_a_part_may_hold_blocks_of_several_sources(make_source: MakeSource) -> None:
    one = make_source(b'{"text":"a"}\n{"text":"b"}', file="one/x.jsonl")
    two = Source.model_validate({**make_source(b'{"input":"a","output":"b"}', file="two/x.jsonl", kind="pair",
                                                format="completion").model_dump(), "name": "t"})  # fmt: skip
    (part,) = plan_parts([survey(one, part_bytes=1000), survey(two, part_bytes=1000)], 1000)
    got = read_blocks(part, max_row_bytes=1000)
    assert got.rows["id"].to_pylist() == ["s/x.jsonl#0", "s/x.jsonl#1", "t/x.jsonl#0"]
    assert Counter(got.rows["kind"].to_pylist()) == {"text": 2, "pair": 1}
    assert got.bytes_in == 12 + 12 + 26
    assert isinstance(got.rows, pa.Table)
