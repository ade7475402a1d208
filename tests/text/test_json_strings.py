"""Personal data in the strings of JSON texts goes as it would from the values; no other byte changes."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.engines import ENTITIES, cpu
from tests.text.columns import column
from tests.text.json_texts import json_texts, redact_slowly


def redact_one(text: str, entities: Any = ENTITIES) -> tuple[str, dict[str, int]]:
    redacted, counts, settled = cpu.redact_json(column([text]), entities)
    assert settled.tolist() == [True]
    redacted.validate(full=True)  # UTF-8 too
    return redacted[0].as_py(), {entity: int(n) for entity, n in zip(ENTITIES, counts[0], strict=True) if n}


@settings(max_examples=150, deadline=None)
@given(st.lists(json_texts, max_size=3), st.sets(st.sampled_from(ENTITIES), min_size=1))
def test_it_is_the_redaction_of_every_decoded_value(texts: list[str], entities: set[str]) -> None:
    redacted, counts, settled = cpu.redact_json(column(texts), sorted(entities))
    assert settled.all()
    redacted.validate(full=True)
    slowly = [redact_slowly(text, sorted(entities)) for text in texts]
    assert redacted.to_pylist() == [text for text, _ in slowly]
    assert counts.tolist() == [row.tolist() for _, row in slowly]


@settings(max_examples=200, deadline=None)
@given(st.lists(json_texts, max_size=3))
def test_twice_is_once(texts: list[str]) -> None:
    once, _, _ = cpu.redact_json(column(texts), ENTITIES)
    twice, counts, _ = cpu.redact_json(once, ENTITIES)
    assert twice.equals(once)
    assert not counts.any()
    for text in once.to_pylist():
        json.loads(text)


HARMLESS = st.text(st.characters(exclude_categories=["Cs", "Nd"], exclude_characters="@"))
VALUES = st.recursive(
    HARMLESS | st.integers(-(10**6), 10**6) | st.floats(allow_nan=False) | st.none(),
    lambda inner: st.lists(inner) | st.dictionaries(HARMLESS, inner),
    max_leaves=6,
)


@settings(max_examples=200, deadline=None)
@given(st.lists(VALUES), st.booleans(), st.sampled_from([None, 2]))
def test_nothing_found_is_nothing_changed(values: list[Any], escaped: bool, indent: int | None) -> None:
    texts = column([json.dumps(value, ensure_ascii=escaped, indent=indent) for value in values])
    redacted, counts, _ = cpu.redact_json(texts, ENTITIES)
    assert redacted is texts
    assert not counts.any()


@settings(max_examples=100, deadline=None)
@given(st.lists(json_texts))
def test_nothing_looked_for_is_nothing_changed(texts: list[str]) -> None:
    redacted, counts, _ = cpu.redact_json(column(texts), [])
    assert redacted.to_pylist() == texts
    assert not counts.any()


@pytest.mark.parametrize(
    ("text", "redacted", "counts"),
    [
        ('"a@b.com"', '"<EMAIL>"', {"email": 1}),
        ('{"a@b.com":{"to":["c@d.org",""]}}', '{"<EMAIL>":{"to":["<EMAIL>",""]}}', {"email": 2}),
        ('{ "n" : 4111111111111112 , "s" : "8.8.8.8" }', '{ "n" : 4111111111111112 , "s" : "<IP>" }', {"ip": 1}),
        (
            '{"n":4111111111111111,"m":[ 4111111111111111]}',
            '{"n":"<CREDIT_CARD>","m":[ "<CREDIT_CARD>"]}',
            {"credit_card": 2},
        ),
        ("4111111111111111", '"<CREDIT_CARD>"', {"credit_card": 1}),
        (
            "[-4111111111111111,4111111111111111.0,4111111111111111e0,0.4111111111111111]",
            "[-4111111111111111,4111111111111111.0,4111111111111111e0,0.4111111111111111]",
            {},
        ),
        (
            '{"a@b.com":1,"c@d.com":2,"e@f.com":{"a@b.com":3}}',
            '{"<EMAIL>":1,"<EMAIL#2>":2,"<EMAIL#3>":{"<EMAIL>":3}}',
            {"email": 4},
        ),
        (
            '[{"a@b.com":1},{"c@d.com":{},"e@f.com":[{}]}]',
            '[{"<EMAIL>":1},{"<EMAIL>":{},"<EMAIL#2>":[{}]}]',
            {"email": 3},
        ),
        ('{"<EMAIL>":1,"a@b.com":2,"<EMAIL#2>":3}', '{"<EMAIL>":1,"<EMAIL#3>":2,"<EMAIL#2>":3}', {"email": 1}),
        (r'{"\u003cEMAIL>":1,"a@b.com":2}', r'{"\u003cEMAIL>":1,"<EMAIL#2>":2}', {"email": 1}),
        ('{"a@b.com":1,"a@b.com":2}', '{"<EMAIL>":1,"<EMAIL>":2}', {"email": 2}),  # they were equal before
        ('{"to a@b.com now":1,"to c@d.com now":2}', '{"to <EMAIL> now":1,"to <EMAIL> now#2":2}', {"email": 2}),
        (r'"jane\u0040northwind.org"', '"<EMAIL>"', {"email": 1}),
        (r'"\u006a\u0061ne@northwind\u002Eorg"', '"<EMAIL>"', {"email": 1}),
        (r'"a\/\"\\\b\f\n\r\t\u0001\u00e9 a@b.com"', r'"a/\"\\\b\f\n\r\t\u0001é <EMAIL>"', {"email": 1}),
        (r'"\ud83d\ude00 a@b.com \uD83D\uDE00"', '"😀 <EMAIL> 😀"', {"email": 1}),
        (r'"\ud83d a@b.com \uDe0F"', r'"\ud83d <EMAIL> \uDe0F"', {"email": 1}),
        (r'"\ud83d\ud83d\ude00\ude00 a@b.com"', r'"\ud83d😀\ude00 <EMAIL>"', {"email": 1}),
        (r'"a@b.com\ud83d","\u00e9"', r'"<EMAIL>\ud83d","\u00e9"', {"email": 1}),
        (r'"{\"to\":\"a@b.com\"}"', r'"{\"to\":\"<EMAIL>\"}"', {"email": 1}),  # JSON within JSON
        (r'["call\n415-555-0123"]', r'["call\n<PHONE>"]', {"phone": 1}),  # `n4` would be no boundary
        ('{"version":"8.8.8.8"}', '{"version":"8.8.8.8"}', {}),  # a value is read behind its key
        ('{"phone":4155550123,"id":4155550123}', '{"phone":"<PHONE>","id":4155550123}', {"phone": 1}),
        ('{"phone" : "4155550123","id":"4155550123"}', '{"phone" : "<PHONE>","id":"4155550123"}', {"phone": 1}),
        ('{"phone":[4155550123],"n":{"call":null},"x":4155550123}',) * 2 + ({},),
        (
            '{"password":"3f9c2b7a1d5e","x":"3f9c2b7a1d5e"}',
            '{"password":"<API_KEY>","x":"3f9c2b7a1d5e"}',
            {"api_key": 1},
        ),
        (
            r'{"arguments":"{\"card\": 4111111111111111}"}',
            r'{"arguments":"{\"card\": \"<CREDIT_CARD>\"}"}',
            {"credit_card": 1},
        ),
        (r'["{\"a@b.com\":1,\"c@d.com\":2}","[1]"]', r'["{\"<EMAIL>\":1,\"<EMAIL#2>\":2}","[1]"]', {"email": 2}),
        (r'"{card: 4111111111111111}"', r'"{card: <CREDIT_CARD>}"', {"credit_card": 1}),  # no JSON
        (r'"[\"[\\\"a\u0040b.com\\\"]\"]"', r'"[\"[\\\"<EMAIL>\\\"]\"]"', {"email": 1}),
        (r'"\\u0040 a\\@b.com"', r'"\\u0040 a\\@b.com"', {}),  # a backslash, not an escape
        (r'["\u0041\/\ud83d","",{}]', r'["\u0041\/\ud83d","",{}]', {}),
        ('"jane@","northwind.org"', '"jane@","northwind.org"', {}),
        ("-1.50e+10", "-1.50e+10", {}),
        ("", "", {}),
        ('""', '""', {}),
    ],
)
def test_by_example(text: str, redacted: str, counts: dict[str, int]) -> None:
    assert redact_one(text) == (redacted, counts)


def test_only_what_is_looked_for() -> None:
    text = '["a@b.com","8.8.8.8"]'
    assert redact_one(text, ["ip"]) == ('["a@b.com","<IP>"]', {"ip": 1})
    assert redact_one(text, []) == (text, {})


@pytest.mark.parametrize("newline", ["\n", " "], ids=["escapes", "no escapes"])
def test_a_value_of_a_megabyte(newline: str) -> None:
    value = ("A line with a mail to a@b.org and more words." + newline) * 22_000
    text = json.dumps({"before": [1], "value": value, "after": ""}, ensure_ascii=False)
    assert len(text) > 1_000_000
    redacted, counts = redact_one(text)
    assert redacted == text.replace("a@b.org", "<EMAIL>")
    assert counts == {"email": 22_000}


def test_thousands_of_strings_in_a_text() -> None:
    text = json.dumps([f"{number}@b.org" if number % 3 else "\n" for number in range(30_000)])
    redacted, counts = redact_one(text)
    assert json.loads(redacted) == ["<EMAIL>" if number % 3 else "\n" for number in range(30_000)]
    assert counts == {"email": 20_000}


def test_counts_are_64_bit_and_one_row_a_text() -> None:
    for texts in ([], ["{}"], ['"a@b.com"', "{}"]):
        counts = cpu.redact_json(column(texts), ENTITIES)[1]
        assert counts.shape == (len(texts), len(ENTITIES))
        assert counts.dtype == np.int64
