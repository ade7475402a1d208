"""The published divergence of the peers: one text, two flavours, both numbers."""

from __future__ import annotations

import pytest

from tests.conformance.texts import rows_of


@pytest.mark.parametrize(
    ("text", "signal", "number"),
    [
        ("the cat sat on the mat the cat ran", "top_2gram_share_curator", 0.412),
        ("the cat sat on the mat the cat ran", "top_2gram_ratio_datatrove", 0.412),
        ("the cat sat on the mat the cat ran", "duplicate_5gram_share_curator", 0.0),
        ("a b a b c d", "top_2gram_share_curator", 0.545),
        ("a b a b c d", "top_2gram_ratio_datatrove", 0.545),
        ("aa bb cc dd ee " * 3, "top_2gram_share_curator", 0.333),
        ("aa bb cc dd ee " * 3, "top_2gram_ratio_datatrove", 0.333),
        ("aa bb cc dd ee " * 3, "duplicate_5gram_share_curator", 0.644),
        ("aa bb cc dd ee " * 3, "duplicate_5gram_share_datatrove", 0.444),
        ("a a a a a a", "top_2gram_share_curator", 0.818),
        ("a a a a a a", "top_2gram_ratio_datatrove", 1.364),
        ("a a a a a a", "duplicate_5gram_share_curator", 0.818),
        ("a a a a a a", "duplicate_5gram_share_datatrove", 0.455),
        ("see https://a.io/x_y~z#frag now", "url_share", 0.742),
        ("https://a.io/p;q=1|r", "url_share", 0.7),
        ("www.a.io/p", "url_share", 0.0),
    ],
)
def test_published_numbers(text: str, signal: str, number: float) -> None:
    assert rows_of((text,))[0][signal] == pytest.approx(number, abs=0.0005)


@pytest.mark.parametrize("text", ["x", "one two"])
def test_what_is_too_short_to_repeat_is_not_repetitive(text: str) -> None:
    """Curator gives 1 for a text of fewer than n words, and drops it; datatrove skips the rule."""
    row = rows_of((text,))[0]
    names = [name for name in row if "gram_" in name and not (text == "one two" and "2gram" in name)]
    assert len(names) >= 16
    assert [row[name] for name in names if row[name] != 0] == []


def test_the_tie_of_curator_is_settled_by_length() -> None:
    """Curator gives 0.714 or 0.179 by PYTHONHASHSEED."""
    text = "ab cd ab cd extraordinarily long extraordinarily long xx"
    assert rows_of((text,))[0]["top_2gram_share_curator"] == pytest.approx(0.714, abs=0.0005)
