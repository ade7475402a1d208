"""What is personal data and what only looks like it, entity by entity."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.engines import ENTITIES, cpu
from tests.text.columns import HOSTILE, column

BASE64 = "MIIEpAIBAAKCAQEA1x2y/3z+\n" * 3
CUT = "-----BEGIN PRIVATE KEY-----\\n" + "MIIB/+" * 9

FOUND = {
    "email": [
        "ann@example.com",
        "ANN.B-C+lists@Mail.EXAMPLE.co.uk",
        "o'neil_x%y@ex-ample.org",
        "föö@bär.example",
        "a@b.xn--p1ai",
        "иван@почта.рф",
        "ivan@почта.рф",
        "Jane.Doe@例え.jp",
        "δοκιμή@παράδειγμα.ελ",
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
        "01 40 20 50 50",
        "030 23125 123",
        "415 555 0123",
        "(03) 9650 1234",
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
        "2001:db8::192.0.2.1",
        "4f8a:c99e:dc86:faf9:5988:5f63:375e:8a2a",
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
    "mac": ["00:1b:44:11:3a:b7", "00-1B-44-11-3A-B7", "52:54:00:9d:0e:67"],
    "crypto": [
        "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
        "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy",
        "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq",
        "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
        "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
        "0x52908400098527886E0F7030069857D2E4169EE7",
        "0xde709f2102306220921060314715629080e2fb77",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    ],
    "private_key": [
        f"-----BEGIN {kind}PRIVATE KEY-----\n{BASE64}-----END {kind}PRIVATE KEY-----"
        for kind in ("", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED ")
    ],
    "api_key": [
        "AKIAIOSFODNN7EXAMPLE",
        "ghp_" + "a1B2c3D4e5F6" * 3,
        "github_pat_11ABCDEFG0" + "aB3dE6gH9j_" * 5,
        "xoxb-17653672481-19874698323-pdFZKVeTuE8sk7oOcHrzqqgy",
        "AIzaSyDaGmWKa4JsXZ-HjGw7ISLn_3namBGewQe",
        "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc",
        "sk-ant-api03-" + "Ab3dEf6hIj9lMn0pQr2tUv4x",
        "hf_" + "aBcDeFgHiJkLmNoPqRsTuVwXyZ01234567",
        "glpat-" + "x9Yz8Wv7Ut6Sr5Qp4On3",
        "npm_" + "a1B2c3D4e5F6" * 3,
        "SG." + "aB3dE6gH9jK2lM5nO8pQ1r" + "." + "sT4uV7wX0yZ3aB6cD9eF2gH5iJ8kL1mN4oP7qR0sT3u",
        "AC" + "0123456789abcdef" * 2,
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
    ],
}

LOOK_ALIKES = [
    "user@localhost",
    "a @ b",
    "@property",
    "a@b",
    "x@y.z",
    "看@用户.名字",
    "письмо@дом. Потом",
    "ivan@почта.р",
    "git@github.com:owner/name.git",
    "@app.route",
    "user@1.2",
    "415-555-01234",
    "5-415-555-0123-9",
    "123-456-7890",
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
    "part no. 4-123456-12-3",
    "order 012-345-678",
    "order 415-555-0123",
    "05.6789010",
    "123 45 6789",
    "785 8949",
    "4155550123",
    "ff:ff:ff:ff:ff:ff",
    "01:00:5e:00:00:fb",
    "12:34:56:12:34:56",
    "AB:CD:EF:01:23:45:67:89",
    "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb",
    "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdp",
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD",
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed00",
    "https://user:$PASSWORD@host/",
    "https://${USER}:${PASSWORD}@host/",
    "http://%s:%s@host/",
    "http://%(user)s:%(password)s@host/",
    "http://{self.user}:{self.password!r}@host/",
    "http://u:{{password}}@host/ http://u:${PW:-none}@host/",
    "http://u:$(pass)@host/ http://u:********@host/",
    "8.8.8.8-1",
    "1.2.3.4.5-8.8.8.8.8",
    "4111-1111-1111-1112-123",
    "4111-1111-1111-1111-1234-5",
    "http://host:8080/path@2",
    "-----BEGIN PRIVATE KEY-----",
    "-----BEGIN CERTIFICATE-----",
    "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "sk-estimator-doc-link-container-element",
    "password = getpass.getpass()",
    'password = "<your password>"',
    'api_key = "YOUR_API_KEY_GOES_HERE"',
    'token = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"',
    "token = tokenize.generate_tokens",
    "max_tokens = 1234567890123456789",
    "secret: /run/secrets/database1/password2",
]


def found(text: str, entities: tuple[str, ...] = ENTITIES, **options: object) -> list[tuple[str, str]]:
    """Entity and value of every span."""
    spans = cpu.find_entities(column([text]), entities, **options)  # type: ignore[arg-type]
    data = text.encode()
    return [
        (ENTITIES[entity], data[start:end].decode())
        for start, end, entity in zip(spans.starts, spans.ends, spans.entities, strict=True)
    ]


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


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("?to=jane%40corp.org&x", [("email", "jane%40corp.org")]),
        ("jane＠corp.org", [("email", "jane＠corp.org")]),
        ("ｊａｎｅ＠ｃｏｒｐ．ｏｒｇ。", [("email", "ｊａｎｅ＠ｃｏｒｐ．ｏｒｇ")]),
        ("j\u200ban\u200de\u2060@co\xadrp.org\u200b ", [("email", "j\u200ban\u200de\u2060@co\xadrp.org")]),
        ("卡号４１１１ １１１１ １１１１ １１１１，", [("credit_card", "４１１１ １１１１ １１１１ １１１１")]),
        ("a@b.com and 8.8\ufeff.8.8", [("email", "a@b.com"), ("ip", "8.8\ufeff.8.8")]),
        ("电话：４１５－５５５－０１２３！", [("phone", "４１５－５５５－０１２３")]),
        ("%40d 100%40 می\u200cخواهم １２，３４ １年", []),
        ("jane&#64;corp.org, b&commat;corp.org", [("email", "jane&#64;corp.org"), ("email", "b&commat;corp.org")]),
        ("Call\u00a04155550123", [("phone", "4155550123")]),
        ("078\u201105\u20111120", [("ssn", "078\u201105\u20111120")]),
        ("(415)\u00a0555–0123.", [("phone", "(415)\u00a0555–0123")]),
        ("1999–2003, 12\u00a0345\u00a0€, pp.\u00a01234–1299", []),
    ],
)
def test_what_is_behind_a_disguise(text: str, values: list[tuple[str, str]]) -> None:
    assert found(text) == values


SPACES = "\u00a0\u2000\u2002\u2007\u2009\u200a\u202f\u205f\u3000"
HYPHENS = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212"


@pytest.mark.parametrize(
    ("entity", "value"),
    [
        ("phone", "415 555 0123"),
        ("phone", "415-555-0123"),
        ("phone", "+49 30 23125123"),
        ("phone", "+1 (415) 555-0123"),
        ("phone", "01 40 20 50 50"),
        ("credit_card", "4111 1111 1111 1111"),
        ("credit_card", "4111-1111-1111-1111"),
        ("iban", "DE89 3704 0044 0532 0130 00"),
        ("iban", "GB82 WEST 1234 5698 7654 32"),
        ("ssn", "078-05-1120"),
    ],
)
def test_typographic_spaces_and_hyphens_hide_no_number(entity: str, value: str) -> None:
    written = [value.replace(" ", space) for space in SPACES if " " in value]
    written += [value.replace("-", hyphen) for hyphen in HYPHENS if "-" in value]
    for number in written:
        for before, after in (
            ("", ""),
            ("Call ", "."),
            ("Call\u00a0", "\u00a0now"),
            ("（", "）"),
            ("die ", ", 3\u00a0mal"),
        ):
            assert found(before + number + after) == [(entity, number)]


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
