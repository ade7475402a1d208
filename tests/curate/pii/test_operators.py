"""Operators: what each puts in place, that it is never found again, and that a row's places agree."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config import Pii
from pipeline.curate.pii.canonical import by_group, canonical
from pipeline.curate.pii.operators import key_check, key_problem, mask, number_within, operators_of
from pipeline.curate.pii.redact import redact
from pipeline.engines import CLEANERS, ENTITIES, cpu
from pipeline.engines.stand_ins import STAND_IN
from pipeline.errors import MachineError
from tests.curate.conftest import KEY, KEY_ENV
from tests.curate.pii.test_redact import COLUMNS, table
from tests.text.columns import column
from tests.text.json_texts import json_texts
from tests.text.test_redact import MIXED

OPERATORS = ("tag", "mask", "hash", "pseudonym")


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_ENV, KEY)


def pii(operator: str, **more: Any) -> Pii:
    return Pii.model_validate({"operator": operator, "key_env": KEY_ENV, **more})


def put(operator: str, rows: list[int], entities: list[str], values: list[str]) -> list[str]:
    """What an operator puts in the place of values."""
    numbers = np.array([ENTITIES.index(entity) for entity in entities], np.int8)
    stand_ins = operators_of(pii(operator), ENTITIES)(np.array(rows), numbers, column(values))
    return list(stand_ins.to_pylist())


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    """A few rows with personal data in every place."""
    rows = []
    for _ in range(draw(st.integers(0, 3))):
        extras = st.none() | json_texts
        messages = [
            {"role": "user", "content": draw(MIXED), "extra": draw(extras)} for _ in range(draw(st.integers(1, 2)))
        ]
        rows.append({"messages": messages, "tools": draw(extras), "metadata": draw(extras)})
    return pa.Table.from_pylist(rows, COLUMNS)


@pytest.mark.parametrize("operator", OPERATORS)
def test_twice_is_once(operator: str) -> None:
    @settings(max_examples=60, deadline=None)
    @given(tables())
    def holds(rows: pa.Table) -> None:
        once = redact(rows, pii(operator), cpu)
        twice = redact(once.table, pii(operator), cpu)
        assert not once.failed.any()
        assert twice.table.equals(once.table)
        assert not any(twice.counts.values())
        for row in once.table.to_pylist():
            for text in (row["tools"], row["metadata"], *(message["extra"] for message in row["messages"])):
                json.loads(text or "null")  # it is JSON still

    holds()


@pytest.mark.parametrize("operator", OPERATORS)
def test_a_stand_in_survives_the_cleaners(operator: str) -> None:
    values = ["jane@corp.org", "415-555-0123", "8.8.8.8", "4111 1111 1111 1111"]
    stand_ins = put(operator, [0] * 4, ["email", "phone", "ip", "credit_card"], values)
    texts = [*stand_ins, f"Write to {stand_ins[0]}, or call {stand_ins[1]}.", f"- {stand_ins[2]}", "x" + stand_ins[3]]
    # C4's lines need a mark at their end, which these have not.
    assert cpu.clean(column(texts), [name for name in CLEANERS if name != "c4_lines"]).to_pylist() == texts


def test_what_each_puts_in_place() -> None:
    values = ["jane@corp.org", "josé@corp.org", "Jane@Corp.org", "8.8.8.8"]
    arguments = [7, 7, 7, 7], ["email", "email", "email", "ip"], values
    assert put("tag", *arguments) == ["<EMAIL>", "<EMAIL>", "<EMAIL>", "<IP>"]
    assert put("mask", *arguments) == ["*" * 13, "*" * 13, "*" * 13, "*" * 7]
    assert put("pseudonym", *arguments) == ["<EMAIL_1>", "<EMAIL_2>", "<EMAIL_1>", "<IP_1>"]
    hashes = put("hash", *arguments)
    assert hashes[0] == hashes[2] != hashes[1]
    assert all(re.fullmatch("<EMAIL:[a-p]{16}>", text) for text in hashes[:3])
    for operator in ("tag", "hash", "pseudonym"):
        assert all(re.fullmatch(STAND_IN, text) for text in put(operator, *arguments))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(), max_size=5))
def test_a_mask_has_as_many_characters(values: list[str]) -> None:
    assert mask(np.empty(0), np.empty(0), column(values)).to_pylist() == ["*" * len(value) for value in values]


def test_entities_may_have_operators_of_their_own() -> None:
    rows = table(["a@b.com and 8.8.8.8", "b@b.com, a@b.com, 4111111111111111"], metadata='{"to":"b@b.com"}')
    own = {"email": "pseudonym", "ip": "mask"}
    [row] = redact(rows, pii("tag", operators=own), cpu).table.to_pylist()
    assert [message["content"] for message in row["messages"]] == [
        "<EMAIL_1> and *******",
        "<EMAIL_2>, <EMAIL_1>, <CREDIT_CARD>",
    ]
    assert row["metadata"] == '{"to":"<EMAIL_2>"}'


def test_a_row_s_contents_extras_tools_and_metadata_share_their_numbers() -> None:
    one = table(
        ["a@b.com", "c@d.com"], extra='{"to":"a@b.com","cc":"e@f.com"}', tools='["e@f.com"]', metadata='{"c@d.com":1}'
    )
    other = table(["c@d.com"], metadata='["a@b.com","c@d.com"]')
    first, second = redact(pa.concat_tables([one, other]), pii("pseudonym"), cpu).table.to_pylist()
    assert [message["content"] for message in first["messages"]] == ["<EMAIL_1>", "<EMAIL_2>"]
    assert first["messages"][1]["extra"] == '{"to":"<EMAIL_1>","cc":"<EMAIL_3>"}'
    assert (first["tools"], first["metadata"]) == ('["<EMAIL_3>"]', '{"<EMAIL_2>":1}')
    assert second["messages"][0]["content"] == "<EMAIL_1>"  # every row begins anew
    assert second["metadata"] == '["<EMAIL_2>","<EMAIL_1>"]'


def test_numbers_of_an_earlier_redaction_are_given_to_nobody_else() -> None:
    came = table(["<EMAIL_1> and a@b.com", "c@d.com"], tools='["<EMAIL_3>"]', metadata='{"to":"a@b.com","ip":"<IP_7>"}')
    fresh = table(["a@b.com"])
    first, second = redact(pa.concat_tables([came, fresh]), pii("pseudonym"), cpu).table.to_pylist()
    assert [message["content"] for message in first["messages"]] == ["<EMAIL_1> and <EMAIL_4>", "<EMAIL_5>"]
    assert (first["tools"], first["metadata"]) == ('["<EMAIL_3>"]', '{"to":"<EMAIL_4>","ip":"<IP_7>"}')
    assert second["messages"][0]["content"] == "<EMAIL_1>"  # every row for itself


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(0, 4)), max_size=30))
def test_numbers_go_by_first_appearance(pairs: list[tuple[int, int]]) -> None:
    known: defaultdict[int, dict[int, int]] = defaultdict(dict)
    slowly = [known[home].setdefault(code, len(known[home]) + 1) for home, code in pairs]
    homes, codes = np.array(pairs, np.int64).reshape(-1, 2).T
    numbers, firsts = number_within(homes, codes)
    assert numbers.tolist() == slowly
    assert firsts.tolist() == sorted(pairs.index(pair) for pair in set(pairs))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(st.tuples(st.integers(0, 2), st.sampled_from("abc")), max_size=6), max_size=4))
def test_numbers_go_on_from_call_to_call(calls: list[list[tuple[int, str]]]) -> None:
    stand_ins = operators_of(pii("pseudonym"), ENTITIES)
    got = []
    for call in calls:
        rows, values = np.array([row for row, _ in call], np.int64), [value for _, value in call]
        got += stand_ins(rows, np.zeros(len(call), np.int8), column(values)).to_pylist()
    together = [pair for call in calls for pair in call]
    assert got == put("pseudonym", [row for row, _ in together], ["email"] * len(got), [value for _, value in together])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from([0, 2]), max_size=12))
def test_groups_come_back_in_their_places(groups: list[int]) -> None:
    functions = [lambda here, group=group: column([f"{group}:{place}" for place in here]) for group in range(3)]
    made = by_group(np.array(groups, np.int64), functions)
    assert made.to_pylist() == [f"{group}:{place}" for place, group in enumerate(groups)]


@pytest.mark.parametrize(
    ("entity", "spellings"),
    [
        (
            "email",
            ["jane@corp.org", "Jane@CORP.org", "jane%40corp.org", "ja\u200bne@corp.org", "ｊａｎｅ＠ｃｏｒｐ.org"],
        ),
        (
            "email",
            ["j+x@b.org", "j+x&#64;b.org", "j+x&#064;b.org", "J+x&#x40;b.org", "j+x&commat;b.org", "j%2Bx%40b.org"],
        ),
        ("phone", ["(415) 555-0123", "415.555.0123", "415 555 0123", "４１５-555-0123"]),
        ("credit_card", ["4111 1111 1111 1111", "4111-1111-1111-1111", "4111111111111111"]),
        ("iban", ["DE89 3704 0044 0532 0130 00", "de89370400440532013000", "DE89-3704-0044-0532-0130-00"]),
        ("mac", ["00:1A:2b:3c:4d:5e", "001a.2b3c.4d5e", "00-1a-2b-3c-4d-5e"]),
        ("ip", ["2001:DB8::1", "2001:db8::1", "2001:db8:0:0:0:0:0:1", "2001:0db8:0000::0001", "2001:db8::0.0.0.1"]),
        ("crypto", ["bc1qar0srrr7xfkvy5l643", "BC1QAR0SRRR7XFKVY5L643"]),
        ("crypto", ["0x52908400098527886E0F", "0x52908400098527886e0f"]),
    ],
)
def test_spellings_of_one_thing_are_one(entity: str, spellings: list[str]) -> None:
    entities = np.full(len(spellings), ENTITIES.index(entity), np.int8)
    assert len(set(canonical(ENTITIES, entities, column(spellings)).to_pylist())) == 1
    assert len(set(put("hash", [0] * len(spellings), [entity] * len(spellings), spellings))) == 1


@pytest.mark.parametrize("entity", ["api_key", "crypto"])
def test_secrets_are_as_they_stand(entity: str) -> None:
    values = ["1AbC", "1abc"]
    assert canonical(ENTITIES, np.full(2, ENTITIES.index(entity), np.int8), column(values)).to_pylist() == values


def test_another_key_gives_other_digests(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = put("hash", [0], ["email"], ["a@b.com"])
    assert put("hash", [5], ["email"], ["a@b.com"]) == ours
    check = key_check(pii("hash"))
    assert check is not None
    assert len(check) == 4
    monkeypatch.setenv(KEY_ENV, "x" * 1000)  # longer than BLAKE2b takes
    assert put("hash", [0], ["email"], ["a@b.com"]) != ours
    assert key_check(pii("hash")) != check
    assert key_check(pii("tag")) is None


@pytest.mark.parametrize(("key", "problem"), [(None, "is not set"), ("", "is not set"), ("sesame", "has 6 characters")])
def test_a_key_that_is_missing_or_short_is_named_and_never_quoted(
    key: str | None, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(KEY_ENV)
    if key is not None:
        monkeypatch.setenv(KEY_ENV, key)
    assert problem in str(key_problem(pii("tag", operators={"ip": "hash"})))
    assert key_problem(pii("tag")) is None
    with pytest.raises(MachineError, match=KEY_ENV) as caught:
        redact(table(["a@b.com"]), pii("hash"), cpu)
    assert "sesame" not in str(caught.value)


@pytest.mark.parametrize(
    ("wrong", "part"),
    [
        ({"operator": "hash"}, "needs key_env"),
        ({"operators": {"ip": "hash"}}, "needs key_env"),
        ({"operators": {"emial": "mask"}}, "did you mean 'email'"),
        ({"operators": {"person": "mask"}}, "no entity is called 'person'"),
        ({"key_env": "8f2b-11 secret"}, "not the key itself"),
        ({"entities": ["ip"], "operators": {"email": "mask"}}, "email is not looked for"),
        ({"entities": ["EMAIL"]}, "no entity is called 'EMAIL' (did you mean 'email'?)"),
        ({"entities": ["ip", "person"]}, "no entity is called 'person'; one of email, phone, "),
        ({"entities": "email"}, "give `all`, or a list as in [email, phone], not 'email'"),
        ({"countries": ["UK"]}, "no country has the code 'UK' (did you mean 'GB'?)"),
        ({"countries": ["us"]}, "no country has the code 'us' (did you mean 'US'?)"),
        ({"countries": []}, "names no country"),
        ({"entities": []}, "looks for nothing"),
        ({"ner": {"model": "m", "entities": ["EMAIL"]}}, "belongs to curate.pii.entities"),
    ],
)
def test_what_a_recipe_may_not_say(wrong: dict[str, Any], part: str) -> None:
    with pytest.raises(ValueError, match=re.escape(part)):
        Pii.model_validate(wrong)


def test_names_may_have_operators_too() -> None:
    assert Pii.model_validate({"entities": [], "ner": {"model": "m"}}).entities == []
    right = Pii.model_validate({"operators": {"person": "mask"}, "ner": {"model": "m"}, "countries": ["US", "DE"]})
    assert (right.operator_of("person"), right.operator_of("location")) == ("mask", "tag")
