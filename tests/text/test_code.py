"""The numbers about code of one row."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.text.code import CODE_MEASURES, measure_code
from pipeline.text.comments import FAMILIES
from tests.text.columns import HOSTILE
from tests.text.rows import measured


def measures(text: str | bytes, family: str | None = None) -> dict[str, int]:
    return measured(measure_code, CODE_MEASURES, text, -1 if family is None else FAMILIES.index(family))


@settings(max_examples=200, deadline=None)
@given(HOSTILE, st.sampled_from(["", "<?xml version=", "<?xml version= '1.0'?>", "<<?xml version="]), HOSTILE)
def test_the_header_is_looked_for_in_the_first_hundred_characters(before: str, header: str, after: str) -> None:
    text = before * 2 + header + after
    assert measures(text)["xml_header"] == int("<?xml version=" in text[:100])


@pytest.mark.parametrize("filler", ["x", "é", "日", "🙂"])
def test_the_border_of_the_header(filler: str) -> None:
    assert measures(filler * 86 + "<?xml version=")["xml_header"] == 1
    assert measures(filler * 87 + "<?xml version=")["xml_header"] == 0


def test_an_unknown_family_has_no_comments() -> None:
    assert measures("# x // y")["comment_characters"] == -1
    assert measures("# x // y", "python")["comment_characters"] == 8
    assert measures("", "python") == {"comment_characters": 0, "xml_header": 0, "html_visible_characters": 0}


def test_plain_text_is_all_visible() -> None:
    assert measures("naïve\n日本 🙂")["html_visible_characters"] == 10
