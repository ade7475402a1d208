"""What is personal data and what only looks like it, entity by entity."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.engines import ENTITIES, cpu
from pipeline.text.api_key import _SHAPES
from pipeline.text.find import find_candidates
from pipeline.text.signs import STEP, has_sign
from tests.text.columns import HOSTILE, column
from tests.text.entity_texts import BASE64, CUT, FOUND, LOOK_ALIKES, found

HEAD = "-----BEGIN RSA PRIVATE KEY-----"
LINES = BASE64.split()
CUT_KEY_DOUBLE_SPACED = "\n\n".join([HEAD, *LINES])
CUT_KEY_WITH_HEADERS = "\n".join([HEAD, "Proc-Type: 4,ENCRYPTED", "DEK-Info: AES-128-CBC,3F17F5", "", *LINES])
CUT_KEY_OF_PGP = "\n".join(["-----BEGIN PGP PRIVATE KEY BLOCK-----", "Version: GnuPG v2", "", *LINES])
CUT_KEY_QUOTED = "\n> ".join([HEAD, *LINES])


@pytest.mark.parametrize(("entity", "value"), [(entity, value) for entity in FOUND for value in FOUND[entity]])
def test_found_whatever_stands_around(entity: str, value: str) -> None:
    for before, after in [
        ("", ""),
        ("x ", " y"),
        ("(", ")"),
        ('"', '"'),
        (": ", "."),
        ("¿", "。"),
        ("\n", ",\n"),
        ("=", ";"),
    ]:
        assert found(before + value + after) == [(entity, value)]
    assert found(value, (entity,)) == [(entity, value)]
    assert entity not in dict(found(value, tuple(e for e in ENTITIES if e != entity)))


@pytest.mark.parametrize("text", LOOK_ALIKES)
def test_look_alikes_stay(text: str) -> None:
    assert found(f"see {text} here") == []


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("415-555-0123@example.com", [("email", "415-555-0123@example.com")]),  # the longest wins
        ("::ffff:8.8.8.8 ", [("ip", "8.8.8.8")]),
        ("mailto:a@b.org?x", [("email", "a@b.org")]),
        ("http://8.8.8.8:80/[2606:4700::1]", [("ip", "8.8.8.8"), ("ip", "2606:4700::1")]),
        ("a@b.com,c@d.com;e@f.com", [("email", "a@b.com"), ("email", "c@d.com"), ("email", "e@f.com")]),
        ("a@b.com@c.org", [("email", "a@b.com")]),
        ("jane@example.com.", [("email", "jane@example.com")]),
        ("jane@example.com-based", [("email", "jane@example.com")]),
        ("4111 1111 1111 1111 2024", [("credit_card", "4111 1111 1111 1111")]),
        ("tel +1 415 555 0123 2024", [("phone", "+1 415 555 0123")]),
        ("219-09-9999/219-09-9998", [("ssn", "219-09-9999"), ("ssn", "219-09-9998")]),
        ("https://bob:s3cret@ex.org/", [("url_credentials", "bob:s3cret")]),
        ("redis://:@b/ postgres://a.b:p%41ss@h:5/d", [("url_credentials", "a.b:p%41ss")]),
        (f"cut {CUT} <end>", [("private_key", CUT)]),
        ("93.184.216.34-93.184.216.40", [("ip", "93.184.216.34"), ("ip", "93.184.216.40")]),
        ("host=8.8.8.8, ip=93.184.216.34.", [("ip", "8.8.8.8"), ("ip", "93.184.216.34")]),
        ("server=8.8.8.8 dns-server=8.8.4.4=", [("ip", "8.8.8.8"), ("ip", "8.8.4.4")]),
        ("PREV=8.8.8.8&ipv=8.8.4.4&onLever=9.9.9.9", [("ip", "8.8.8.8"), ("ip", "8.8.4.4"), ("ip", "9.9.9.9")]),
        ("the patched version. A connection from 192.0.2.118", [("ip", "192.0.2.118")]),
        ("of the release state. 192.0.2.137 - -", [("ip", "192.0.2.137")]),
        ("ver. 2, version no. 1.2.3.4, the order no. 415-555-0123", []),
        ("the order is here. 415-555-0123", [("phone", "415-555-0123")]),
        ("See the release. 8.8.8.8 is the server", [("ip", "8.8.8.8")]),
        ("This is the whole part. 415-555-0123", [("phone", "415-555-0123")]),
        ("the release of the host. 8.8.8.8", [("ip", "8.8.8.8")]),
        ("See the section Dept. It is 8.8.8.8", [("ip", "8.8.8.8")]),
        ("0050.56be.1234", [("mac", "0050.56be.1234")]),
        ("the release list. 8.8.8.8", [("ip", "8.8.8.8")]),
        ("Call the Dept. 4155550123", [("phone", "4155550123")]),
        ("if 00:1B:44:11:3A:B7 or 001B.4411.3AB7.", [("mac", "00:1B:44:11:3A:B7"), ("mac", "001B.4411.3AB7")]),
        ("4915112345678 is +4915112345678", [("credit_card", "4915112345678"), ("phone", "+4915112345678")]),
        ("+5555 5555 5555 4444", [("credit_card", "5555 5555 5555 4444")]),
        ("+6011 1111 1111 1117", [("credit_card", "6011 1111 1111 1117")]),
        (f"{CUT_KEY_DOUBLE_SPACED}\n\n<end>", [("private_key", CUT_KEY_DOUBLE_SPACED)]),
        (f"{CUT_KEY_WITH_HEADERS}\n-----BEGIN CERTIFICATE-----\n", [("private_key", CUT_KEY_WITH_HEADERS)]),
        (f"{CUT_KEY_OF_PGP}\n-----BEGIN PGP SIGNATURE-----\n", [("private_key", CUT_KEY_OF_PGP)]),
        (f"{CUT_KEY_QUOTED}\n> -----\n", [("private_key", CUT_KEY_QUOTED)]),
        ("10.0.0.1-8.8.8.8", [("ip", "8.8.8.8")]),
        ("8.8.8.8-10.0.0.1, 8.8.8.8-1.1", [("ip", "8.8.8.8")]),
        ("4111-1111-1111-1111-123", [("credit_card", "4111-1111-1111-1111-123")]),
        ("请写信到jane@corp.org或者", [("email", "jane@corp.org")]),
        ("jane@corp.org.Потом", [("email", "jane@corp.org")]),
        ("x?text=Please%20contact%20" + "word%20" * 10 + "jane.doe@corp.org", [("email", "jane.doe@corp.org")]),
        ("u?mail%3Djane%2Bx@corp.org", [("email", "jane%2Bx@corp.org")]),
        ("a" * 70 + "@corp.org", [("email", "a" * 64 + "@corp.org")]),
        ("redis://:s3cr3tPassw0rd@cache:6379", [("url_credentials", ":s3cr3tPassw0rd")]),
        ("postgres://app:{x9!Kd8s}@db", [("url_credentials", "app:{x9!Kd8s}")]),
        ("postgres://app:$ecret12!@db", [("url_credentials", "app:$ecret12!")]),
    ],
)  # fmt: skip
def test_where_a_match_ends(text: str, values: list[tuple[str, str]]) -> None:
    assert found(text) == values


@pytest.mark.parametrize(
    "text",
    [
        "call 785 8949",
        "Fax: 2813882583",
        "You can call me on (88) 684-334.",
        "3732695155-Fax",
        "92 34 70-Office",
        "785 8949 (office)",
        "(790)091-7442x33 mobile",
        "teléfono 91 123 45 67",
        "Телефон: 8 (495) 123-45-67",
    ],
)
def test_an_announced_number_needs_no_form(text: str) -> None:
    assert [entity for entity, _ in found(text)] == ["phone"]
    for other in ("see", "pay"):
        digits = next(value for _, value in found(text))
        assert found(f"{other} {digits} {other}") == []


def test_countries_decide_about_national_forms() -> None:
    assert found("at 020 7946 0123.", countries=("GB",)) == [("phone", "020 7946 0123")]
    assert found("at 020 7946 0123.", countries=("US",)) == []
    assert found("at +44 20 7946 0123.", countries=("US",)) == [("phone", "+44 20 7946 0123")]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('api_key = "3f9c2b7a1d5e8f60"', "3f9c2b7a1d5e8f60"),
        ("export SERVICE_TOKEN=tok_a8d7f6a8s7d6f8a7sd6f8a7s6df8", "tok_a8d7f6a8s7d6f8a7sd6f8a7s6df8"),
        ('{"clientSecret": "aB3-dE6-gH9-jK2"}', "aB3-dE6-gH9-jK2"),
        (r"{\"password\": \"x9#Yz8!Wv\"}", "x9#Yz8!Wv"),
        ("aws_secret_access_key: wJalrXUtnF3MI9K7MDENGbPxRfi2CYEXAMPLEKEY", "wJalrXUtnF3MI9K7MDENGbPxRfi2CYEXAMPLEKEY"),
        ("Authorization: Bearer a1b2c3d4e5f6a7b8c9d0", "a1b2c3d4e5f6a7b8c9d0"),
        (":password => 'a1b2c3d4'", "a1b2c3d4"),
    ],
)
def test_what_a_name_says_is_secret(text: str, value: str) -> None:
    assert found(text) == [("api_key", value)]


def test_a_social_security_number_may_be_announced() -> None:
    assert found("SSN 219 09 9999") == [("ssn", "219 09 9999")]
    assert found("social security number 219099999") == [("ssn", "219099999")]


VALUES = [value for values in FOUND.values() for value in values]


@given(st.lists(st.one_of(HOSTILE, st.sampled_from(VALUES + LOOK_ALIKES), st.text("@:=+-._(%19aA/\n", max_size=9))))
def test_spans_are_sorted_and_apart_and_of_the_row_alone(pieces: list[str]) -> None:
    text = "".join(pieces)
    spans = cpu.find_entities(column([text, "x", text]), ENTITIES)
    for row in (0, 2):
        mine = spans.rows == row
        places = [place for pair in zip(spans.starts[mine], spans.ends[mine], strict=True) for place in pair]
        assert places == sorted(places)
        assert all(start < end for start, end in zip(places[::2], places[1::2], strict=True))
    shift = len(text.encode()) + 1
    here, there = spans.rows == 0, spans.rows == 2
    assert (spans.starts[here] + shift == spans.starts[there]).all()
    assert (spans.entities[here] == spans.entities[there]).all()
    data = text.encode()
    for start, end in zip(spans.starts[here], spans.ends[here], strict=True):
        data[start:end].decode()  # no character is cut


@given(st.sampled_from([(e, v) for e in FOUND for v in FOUND[e]]), st.integers(0, 9), st.integers(0, 9))
def test_what_else_is_looked_for_does_not_matter(pair: tuple[str, str], before: int, after: int) -> None:
    entity, value = pair
    assert found("x " * before + value + " y" * after, (entity,)) == [(entity, value)]


PIECES = [value for values in FOUND.values() for value in values] + LOOK_ALIKES
CHARACTERS = "(+)-./ :=@_AJSKefghikpstxyz0123456789\"'\\\n"


def candidates(text: str, blocks: int) -> list[list[int]]:
    row = np.frombuffer(text.encode(), np.uint8)
    spans = np.zeros(999, np.int64), np.zeros(999, np.int64), np.zeros(999, np.int8)
    count = find_candidates(row, 0, len(row), (1 << len(ENTITIES)) - 1, blocks, *spans, 0)
    return [span[:count].tolist() for span in spans]


@pytest.mark.parametrize("value", PIECES)
def test_blocks_without_a_sign_hold_nothing_wherever_a_value_begins(value: str) -> None:
    for before in range(80, 80 + STEP):
        text = " " * before + value + " " * 120
        assert candidates(text, 1) == candidates(text, 0)


@pytest.mark.parametrize("prefix", [shape[0] for shape in _SHAPES])
def test_a_vendor_s_prefix_is_a_sign_whatever_follows(prefix: str) -> None:
    mark = len(prefix) - 1 if prefix[-1] in "-_.J" else 0
    for place in range(STEP):
        row = np.frombuffer((" " * (20 + place - mark) + prefix + "abcdefghijklmnop" + " " * 120).encode(), np.uint8)
        assert has_sign(row, 20), place


@given(st.lists(st.sampled_from(PIECES) | st.text(CHARACTERS, max_size=12) | st.integers(1, 130).map(" quiet".__mul__)))
def test_what_is_asked_of_many_bytes_at_once_loses_nothing(pieces: list[str]) -> None:
    text = "".join(pieces)
    assert candidates(text, 1) == candidates(text, 0)
