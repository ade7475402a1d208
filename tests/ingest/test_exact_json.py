from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.ingest.exact_json import MAX_DEPTH, elements, members, parse
from pipeline.ingest.rejected import RULES, Rejected

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=100)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**80), 2**80) | st.floats(allow_nan=False, allow_infinity=False) | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=5,
)
PIECES = (b"{", b"}", b"[", b"]", b'"a"', b":", b",", b" ", b"1", b"-2e3", b"NaN", b"null", rb'"\ud800"', b"\xff")
objects = st.dictionaries(text, values, max_size=5)
styles = st.sampled_from(
    [{}, {"ensure_ascii": False}, {"separators": (",", ":")}, {"indent": " "}, {"separators": (" ,\t", " : ")}]
)


def written(value: Any, style: dict[str, Any]) -> str:
    return json.dumps(value, **style).replace("\n", "\r")  # any white space but the end of a line


@given(objects, styles)
def test_the_members_of_an_object_are_its_keys_and_values_as_written(row: dict[str, Any], style: Any) -> None:
    line = written(row, style)
    cut = members(line)
    assert {key: json.loads(value) for key, (_, value) in cut.items()} == row
    assert {key: json.loads(name) for key, (name, _) in cut.items()} == {key: key for key in row}
    assert all(name in line and value in line for name, value in cut.values())


@given(st.lists(objects, max_size=3), styles)
def test_the_elements_of_an_array_are_as_written(rows: list[Any], style: Any) -> None:
    line = written(rows, style)
    cut = elements(line)
    assert [json.loads(value) for value in cut] == rows
    assert all(value in line for value in cut)


@given(objects, styles, st.data())
def test_the_rest_of_a_row_is_the_row_without_the_used_keys(
    row: dict[str, Any], style: Any, data: st.DataObject
) -> None:
    used = frozenset(data.draw(st.sets(st.sampled_from(sorted(row))) if row else st.just(set())))
    rest = parse(written(row, style).encode()).rest(used)
    wanted = {key: value for key, value in row.items() if key not in used}
    assert (json.loads(rest) if rest is not None else {}) == wanted
    assert (rest is None) == (not wanted)


@pytest.mark.parametrize(
    "number", ["1.0e5", "1E+2", "-0", "-0.0", "0.10", "123456789012345678901234567890", "1e-400", "9" * 300]
)
def test_numbers_keep_their_text(number: str) -> None:
    line = f'{{"text":"x","n":{number},"deep":{{"list":[{number}, {number}]}}}}'
    assert parse(line.encode()).rest(frozenset({"text"})) == f'{{"n":{number},"deep":{{"list":[{number}, {number}]}}}}'


def test_strings_keep_their_escapes() -> None:
    line = r'{"text":"x","caf\u00e9":"\u00e9\/\"\\","emoji":"\ud83d\ude00"}'
    record = parse(line.encode())
    assert record.rest(frozenset({"text"})) == r'{"caf\u00e9":"\u00e9\/\"\\","emoji":"\ud83d\ude00"}'
    assert record.exact("café") == r'"\u00e9\/\"\\"'


def test_of_duplicate_keys_the_last_value_stands_and_the_others_do_not_travel_on() -> None:
    line = r'{"a":"me@example.com","t":1,"a":2.50,"b":{"c":"me@example.com","d":[1e5,"\u00e9"],"\u0063":3.0}}'
    rest = parse(line.encode()).rest(frozenset({"t"}))
    assert rest is not None
    assert "example.com" not in rest
    assert json.loads(rest) == {"a": 2.5, "b": {"c": 3.0, "d": [1e5, "é"]}}
    assert "2.50" in rest
    assert "1e5" in rest
    assert "3.0" in rest


def test_a_duplicate_deep_inside_leaves_its_neighbours_as_written() -> None:
    line = '{"t":0,"a":{"x": 1.00},"b":[{"k":1,"k":2.00}],"c":{"y": 3.00}}'
    assert parse(line.encode()).rest(frozenset({"t"})) == '{"a":{"x": 1.00},"b":[{"k":2.00}],"c":{"y": 3.00}}'


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        (b'{"a":', "malformed_json"),
        (b'{"a":1} x', "malformed_json"),
        (b'{"a":1,}', "malformed_json"),
        (b"{'a':1}", "malformed_json"),
        (b'{"a":01}', "malformed_json"),
        (b'{"a":NaN}', "malformed_json"),
        (b'{"a":-Infinity}', "malformed_json"),
        (b'{"a":1e999}', "malformed_json"),
        (b'{"a":' + b"9" * 5000 + b"}", "malformed_json"),
        (b'{"a":"\t"}', "malformed_json"),
        (b"[" * 5000 + b"]" * 5000, "malformed_json"),
        (b'{"a":"\xff"}', "invalid_utf8"),
        (b'{"a":"\xed\xa0\x80"}', "invalid_utf8"),
        (rb'{"a":"\ud800"}', "invalid_utf8"),
        (rb'{"a":"\udc00 x"}', "invalid_utf8"),
        (rb'{"a":"\ud800\u0041"}', "invalid_utf8"),
        (b"[1]", "wrong_type"),
        (b'"x"', "wrong_type"),
        (b"null", "wrong_type"),
        (b"1", "wrong_type"),
        (b"true", "wrong_type"),
    ],
)
def test_what_is_no_object_of_json_is_rejected(line: bytes, rule: str) -> None:
    with pytest.raises(Rejected) as caught:
        parse(line)
    assert caught.value.rule == rule
    assert rule in RULES


def test_nesting_has_a_bound_that_brackets_in_strings_do_not_count_for() -> None:
    def nested(depth: int) -> bytes:
        return b'{"t":"' + b"[{" * 500 + b'","a":' + b"[" * depth + b"]" * depth + b"}"

    deep = parse(nested(MAX_DEPTH - 1)).rest(frozenset({"t"}))
    assert deep is not None
    assert deep.count("[") == MAX_DEPTH - 1
    with pytest.raises(Rejected, match="nested deeper"):
        parse(nested(MAX_DEPTH))
    hidden = nested(1020)[:-1] + b',"a":1}'  # the deep value stands under a key that comes again
    with pytest.raises(Rejected, match="nested deeper"):
        parse(hidden).rest(frozenset({"t"}))


@given(st.binary(max_size=60) | text.map(str.encode) | st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join))
def test_any_bytes_are_parsed_or_rejected(line: bytes) -> None:
    why = None
    try:
        parse(line)
    except Rejected as rejected:
        why = rejected
    assert (why is None) == _is_object(line)
    assert why is None or why.rule in RULES


def _is_object(line: bytes) -> bool:
    try:
        value = json.loads(line.decode(), parse_constant=lambda _: 1 / 0)
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, ZeroDivisionError):
        return False
    return isinstance(value, dict)
