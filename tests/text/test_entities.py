"""What is personal data and what only looks like it, entity by entity."""

from __future__ import annotations

import pytest

from pipeline.engines import ENTITIES, cpu
from tests.text.columns import column

FOUND = {
    "email": [
        "ann@example.com",
        "ANN.B-C+lists@Mail.EXAMPLE.co.uk",
        "o'neil_x%y@ex-ample.org",
        "föö@bär.example",
        "a@b.xn--p1ai",
    ],
    "phone": [
        "(415) 555-0123",
        "(415)555-0123",
        "415-555-0123",
        "415.555.0123x4711",
        "1-415-555-0123",
        "1 (415) 555-0123",
        "001-415-555-0123",
        "+1 415 555 0123",
        "+14155550123",
        "+1 (415) 555-0123",
        "+44 20 7946 0123",
        "+44 (0)20 7946 0123",
        "+33 1 99 00 12 34",
        "+49 30 23125 123",
        "020 7946 0123",
        "0161 496 0123",
        "01632 960123",
    ],
    "ip": [
        "8.8.8.8",
        "203.0.113.7",
        "172.32.0.1",
        "2606:4700::1111",
        "2001:db8::1",
        "2a00:1:2:3:4:5:6:7",
        "2001:4860:4860::",
    ],
    "credit_card": [
        "4111111111111111",
        "4111 1111 1111 1111",
        "5105-1051-0510-5100",
        "378282246310005",
        "3782 822463 10005",
        "30569309025904",
        "6011000990139424",
        "3530111333300000",
        "2223003122003222",
        "4222222222222",
    ],
    "ssn": ["219-09-9999", "001-01-0001", "899-99-9999"],
    "iban": [
        "DE89370400440532013000",
        "DE89 3704 0044 0532 0130 00",
        "GB82WEST12345698765432",
        "gb82west12345698765432",
        "NO93 8601 1117 947",
        "MT84MALT011000012345MTLCAST001S",
    ],
}

LOOK_ALIKES = [
    "user@localhost",
    "a @ b",
    "@property",
    "a@b",
    "x@y.z",
    "git@github.com:owner/name.git",
    "@app.route",
    "user@1.2",
    "415-555-01234",
    "5-415-555-0123-9",
    "123-456-7890",
    "415 555 0123",
    "2024-05-17",
    "+2024-05-17 12:30",
    "978-0-517-89708-1",
    "+0530",
    "1.415.5550",
    "+12345",
    "10.0.0.1",
    "192.168.1.254",
    "127.0.0.1",
    "172.16.0.1",
    "169.254.1.1",
    "255.255.255.0",
    "224.0.0.1",
    "0.0.0.0",
    "256.1.1.1",
    "1.2.3.4.5",
    "01.2.3.4",
    "v1.2.3.4",
    "version 1.2.3.4",
    "pkg==1.2.3.4",
    "pkg >= 1.2.3.4",
    "section 8.1.2.2",
    "::1",
    "fe80::1",
    "fd00::1",
    "std::dec",
    "Abc::Def",
    "x[2000::2]",
    "2021:10:02:11",
    "12:34:56",
    "00:1b:44:11:3a:b7",
    "4111111111111112",
    "4111 1111 1111 1112",
    "1234567812345670",
    "0.4111111111111111",
    "0x4111111111111111",
    "411111111111111",
    "000-12-3456",
    "666-12-3456",
    "900-12-3456",
    "219-00-9999",
    "219-09-0000",
    "219-09-99990",
    "1219-09-9999",
    "219-09-9999-1",
    "DE89370400440532013001",
    "DE8937040044053201300",
    "XX89370400440532013000",
    "ADE89370400440532013000",
    "32'hDEAD_BEEF",
    "0x7FFFFFFFFFFFFFFF",
]


def redact(text: str, entities: tuple[str, ...] = ENTITIES) -> str:
    result: str = cpu.redact(column([text]), entities)[0].to_pylist()[0]
    return result


@pytest.mark.parametrize(("entity", "value"), [(entity, value) for entity in FOUND for value in FOUND[entity]])
def test_found_whatever_stands_around(entity: str, value: str) -> None:
    tag = f"<{entity.upper()}>"
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
        assert redact(before + value + after) == before + tag + after
    assert redact(value, (entity,)) == tag
    assert entity not in redact(value, tuple(e for e in ENTITIES if e != entity)).lower()


@pytest.mark.parametrize("text", LOOK_ALIKES)
def test_look_alikes_stay(text: str) -> None:
    assert redact(f"see {text} here") == f"see {text} here"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("415-555-0123@example.com", "<EMAIL>"),  # the longest wins
        ("::ffff:8.8.8.8 ", "::ffff:<IP> "),
        ("mailto:a@b.org?x", "mailto:<EMAIL>?x"),
        ("http://8.8.8.8:80/[2606:4700::1]", "http://<IP>:80/[<IP>]"),
        ("a@b.com,c@d.com;e@f.com", "<EMAIL>,<EMAIL>;<EMAIL>"),
        ("a@b.com@c.org", "<EMAIL>@c.org"),
        ("jane@example.com.", "<EMAIL>."),
        ("jane@example.com-based", "<EMAIL>-based"),
        ("4111 1111 1111 1111 2024", "<CREDIT_CARD> 2024"),
        ("tel +1 415 555 0123 2024", "tel <PHONE> 2024"),
        ("219-09-9999/219-09-9998", "<SSN>/<SSN>"),
    ],
)
def test_where_a_match_ends(before: str, after: str) -> None:
    assert redact(before) == after


def test_an_unknown_entity_is_named() -> None:
    with pytest.raises(ValueError, match="no entity is called 'name'"):
        cpu.redact(column(["a"]), ["name"])
