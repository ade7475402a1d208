"""What the kernel reads, it reads as the formats do; what it does not know, it leaves to them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config import Source
from pipeline.engines import cpu
from pipeline.ingest.exact_json import parse
from pipeline.ingest.formats import adapter_for
from pipeline.ingest.lines import Line, Lines, gathered
from pipeline.ingest.plain import PlainRows
from pipeline.ingest.rejected import Rejected
from pipeline.ingest.rows import RowsBuilder
from tests.ingest.test_exact_json import PIECES, objects, styles, text, values, written
from tests.text.columns import shared

FORMATS = {
    "text": Source(name="s", kind="text", format="text", path="x", columns={"text": "t"}),
    "completion": Source(name="s", kind="pair", format="completion", path="x", columns={"input": "t", "output": "o"}),
}


def gather(lines: list[bytes]) -> Lines:
    return next(gathered(Line(row, line, len(line)) for row, line in enumerate(lines)))


def one_by_one(source: Source, lines: list[bytes], rows: Iterator[int]) -> list[dict[str, Any]]:
    builder = RowsBuilder()
    for row in rows:
        builder.add(f"p#{row}", source, adapter_for(source).read(parse(lines[row])))
    return builder.table().to_pylist()


def check(source: Source, lines: list[bytes]) -> np.ndarray:
    """Read with the kernel, and whatever it knows one by one too."""
    plain = PlainRows(source, adapter_for(source).strings, room=1)
    known = plain.add("p#", gather(lines))
    table = plain.table()
    table.validate(full=True)
    assert table.to_pylist() == one_by_one(source, lines, np.flatnonzero(known))
    by_engine = PlainRows(source, adapter_for(source).strings, room=1, engine=cpu)  # as a GPU's reads them
    twice = [by_engine.add("p#", gather(lines)) for _ in range(2)]
    assert np.array_equal(twice, [known, known])
    assert by_engine.table().equals(pa.concat_tables([table, table]))
    return known


rows = st.tuples(objects, st.dictionaries(st.sampled_from("to"), text | values)).map(lambda both: both[0] | both[1])
lines = st.one_of(
    st.tuples(rows, styles).map(lambda both: written(*both).encode()),
    st.lists(st.sampled_from([*PIECES, b'"t":"x"', b'"o":"y"']), max_size=12).map(b"".join),
    st.binary(max_size=20),
).filter(lambda line: b"\n" not in line)


@settings(max_examples=300, deadline=None)
@given(st.lists(lines, min_size=1, max_size=4), st.sampled_from(sorted(FORMATS)))
def test_known_rows_are_those_of_their_format(some: list[bytes], format: str) -> None:
    check(FORMATS[format], some)


@settings(max_examples=300, deadline=None)
@given(st.data(), rows, styles)
def test_a_row_with_a_damaged_byte_is_never_taken_for_another(data: st.DataObject, row: Any, style: Any) -> None:
    line = bytearray(written({**row, "t": "some text"}, style).encode())
    line[data.draw(st.integers(0, len(line) - 1))] = data.draw(st.sampled_from(b'"\\{}[]:,0-e.\xff\x80\x01 '))
    check(FORMATS["text"], [bytes(line)])


@pytest.mark.parametrize(
    "line",
    [
        b'{"t":"x","a":[[[],{}],-0,1.5E+10,true,false,null,{"b":{"c":"d"}}]}',
        b'\t{ "t" : "x" , "a" : 1 }\r',
        rb'{"a":1,"t":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00 and then some more text of many bytes \\"}',
        '{"t":"\u3000Übung 漢字","é":"ü"}'.encode(),
        b'{"t":"' + b"x" * 5_000_000 + b'"}',
    ],
)
def test_plain_rows_are_known(line: bytes) -> None:
    assert check(FORMATS["text"], [line, line]).all()


@pytest.mark.parametrize(
    "line",
    [
        b'{"t":"x","a":{"b":1,"b":2}}',
        b'{"t":"x","t":"y"}',
        rb'{"t":"x","\u0061":1}',
        b'{"t":"x","a":' + b"[" * 100 + b"]" * 100 + b"}",
        b'{"t":"x",' + b",".join(b'"%d":0' % key for key in range(200)) + b"}",
        b'{"t":"x","a":' + b"9" * 300 + b"}",
        b'{"t":"x","a":1e100}',
        rb'{"t":"\u0041"}',
    ],
)
def test_unusual_rows_are_left_to_their_format(line: bytes) -> None:
    source = FORMATS["text"]
    assert not check(source, [line]).any()
    assert one_by_one(source, [line], iter([0])), "it is a row all the same"


def test_one_key_may_hold_two_texts() -> None:
    """More bytes than the lines have are written then."""
    source = Source(name="s", kind="pair", format="completion", path="x", columns={"input": "t", "output": "t"})
    line = b'{"t":"' + b"some text " * 500_000 + b'","n":1}'
    assert check(source, [line, line, line]).all()


def test_bytes_that_are_no_text_spoil_no_other_batch() -> None:
    plain = PlainRows(FORMATS["text"], adapter_for(FORMATS["text"]).strings, room=1)
    good = b'{"t":"x"}'
    assert [plain.add("p#", gather(batch)).tolist() for batch in ([good], [good, b'{"t":"\xff"}'], [good])] == [
        [True],
        [False, False],
        [True],
    ]
    assert len(plain.table()) == 2


def test_refused_lines_are_not_known() -> None:
    refused = next(gathered(iter([Line(0, Rejected("too_long", "it is"), 9), Line(1, b'{"t":"x"}', 9)])))
    plain = PlainRows(FORMATS["text"], adapter_for(FORMATS["text"]).strings, room=0)
    assert plain.add("p#", refused).tolist() == [False, True]
    with pytest.raises(Rejected, match="it is"):
        refused.text(0)


@pytest.mark.parametrize(
    ("path", "kind", "columns"),
    [
        ("instruct-gsm8k/test.jsonl.gz", "pair", {"input": "question", "output": "answer"}),
        ("text-peps/peps.jsonl.gz", "text", {}),
    ],
)
def test_published_rows_are_known(path: str, kind: str, columns: dict[str, str]) -> None:
    folder, _, file = path.partition("/")
    published = gzip.decompress((shared(folder) / file).read_bytes()).splitlines()[:300]
    format = "completion" if kind == "pair" else "text"
    source = Source.model_validate({"name": "s", "kind": kind, "format": format, "path": "x", "columns": columns})
    assert check(source, published).all()
    assert json.loads(published[0])
