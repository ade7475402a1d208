"""Personal data whose characters are disguised: full-width, of no width, escaped, typographic."""

from __future__ import annotations

import pytest

from tests.text.entity_texts import found


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
