"""`redact_json` is an operation like the others: any column, any cut of it, any bytes."""

from __future__ import annotations

import random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.engines import ENTITIES, Engine, cpu, engine_for
from pipeline.engines.columns import to_arrow
from tests.text.columns import column
from tests.text.json_texts import json_texts

TEXTS = [
    *["{}", "", '{"to":"a@b.com","n":4111111111111112}', r'{"to":"jane\u0040northwind.org\n"}', "[]", r'"\n\ud83d"'],
    *['["8.8.8.8",{"8.8.4.4":"415-555-0123"}]', "17", r'"{\"to\":\"a@b.com\"}"', '""', '"a@b.com"', '{"clean":"é"}'],
]


def redact(texts: pa.LargeStringArray) -> list[tuple[str, list[int]]]:
    redacted, counts, settled = cpu.redact_json(texts, ENTITIES)
    assert settled.all()
    assert redacted.type == pa.large_string()
    redacted.validate(full=True)
    return list(zip(redacted.to_pylist(), counts.tolist(), strict=True))


def test_an_empty_column() -> None:
    assert redact(column([])) == redact(column(TEXTS)[3:3]) == []
    assert redact(pa.chunked_array([], pa.large_string()).combine_chunks()) == []
    assert redact(column(["", ""])) == [("", [0] * len(ENTITIES))] * 2


def test_a_row_s_result_depends_on_that_row_alone() -> None:
    whole = redact(column(TEXTS))
    assert sum(any(counts) for _, counts in whole) == 5
    order = list(range(len(TEXTS)))
    random.Random(0).shuffle(order)
    assert redact(column([TEXTS[i] for i in order])) == [whole[i] for i in order]
    for size in (1, 3, 5):
        cut = [redact(column(TEXTS)[i : i + size]) for i in range(0, len(TEXTS), size)]
        assert [row for part in cut for row in part] == whole


@settings(max_examples=100, deadline=None)
@given(st.lists(json_texts, min_size=1, max_size=4))
def test_a_slice_is_its_copy(texts: list[str]) -> None:
    assert redact(column(['"before@b.com', *texts, r'\u0040b.com"'])[1:-1]) == redact(column(texts))


def test_a_column_without_personal_data_is_not_even_copied() -> None:
    for texts in (column(['{"a":"plain"}', "17"]), column([r'"\n\u00e9\ud83d"'])):
        assert cpu.redact_json(texts, ENTITIES)[0] is texts


@settings(max_examples=200, deadline=None)
@given(
    st.binary(max_size=40)
    | st.lists(st.sampled_from([b'"', b"\\", b"\\u00", b"40", b"a@b.com", b"\xff\x8d\x88\x83\x8d"])).map(b"".join),
    st.binary(max_size=5),
    st.binary(max_size=5),
)
def test_bytes_that_are_no_json_neither_hang_nor_look_outside(row: bytes, before: bytes, after: bytes) -> None:
    alone = to_arrow(np.frombuffer(row, np.uint8).copy(), np.array([0, len(row)], np.int64))
    for left, right in ((before, after), (b'"a@b.com\\', b'u0040b.org"'), (b'"', b'"')):
        buffer = np.frombuffer(left + row + right, np.uint8).copy()
        middle = to_arrow(buffer, np.array([0, len(left), len(left) + len(row), len(buffer)], np.int64))[1:2]
        (one, here, _), (other, there, _) = (cpu.redact_json(texts, ENTITIES) for texts in (middle, alone))
        assert one.cast(pa.large_binary()).equals(other.cast(pa.large_binary()))
        assert np.array_equal(here, there)


def test_what_is_refused() -> None:
    engine: Engine = engine_for("cpu")
    with pytest.raises(ValueError, match="no entity is called 'name'"):
        engine.redact_json(column(TEXTS), ["name"])
    with pytest.raises(ValueError, match="1 of 2 texts are null"):
        engine.redact_json(pa.array(["{}", None], pa.large_string()), ENTITIES)
