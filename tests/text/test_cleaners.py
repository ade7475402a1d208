"""Cleaners do what their Python definitions say, change nothing twice, and never move a line."""

from __future__ import annotations

import itertools
import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.engines import CLEANERS, cpu
from tests.text.columns import HOSTILE, column

LINE_BREAK = re.compile("\r\n|[\r\v\f\x85\u2028\u2029]")


def clean(texts: list[str], cleaners: tuple[str, ...]) -> list[str]:
    result: list[str] = cpu.clean(column(texts), cleaners).to_pylist()
    return result


def unicode(text: str) -> str:
    kept = (c for c in text if c != "\ufeff" and (unicodedata.category(c) != "Cc" or c in "\t\n\v\f\r\x85"))
    return unicodedata.normalize("NFC", "".join(kept))


def newlines(text: str) -> str:
    return LINE_BREAK.sub("\n", text)


def whitespace(text: str) -> str:
    text = "".join(" " if unicodedata.category(c) == "Zs" else c for c in text)
    text = re.sub("[ \t]+(?=\n|$)", "", text)
    text = re.sub("\n{3,}", "\n\n", text)
    return text.strip("\n")


DEFINITIONS = {"unicode": unicode, "newlines": newlines, "whitespace": whitespace}
SUBSETS = [s for size in (1, 2, 3) for s in itertools.combinations(CLEANERS, size)]


@settings(max_examples=150, deadline=None)
@given(st.lists(HOSTILE, max_size=6))
def test_equal_their_definitions(texts: list[str]) -> None:
    for subset in SUBSETS:
        expected = texts
        for cleaner in subset:
            expected = [DEFINITIONS[cleaner](text) for text in expected]
        assert clean(texts, subset) == expected


@settings(max_examples=100, deadline=None)
@given(st.lists(HOSTILE, max_size=6))
def test_cleaning_what_is_clean_changes_nothing(texts: list[str]) -> None:
    for subset in SUBSETS:
        once = clean(texts, subset)
        assert clean(once, subset) == once
        assert clean(texts, tuple(reversed(subset))) == once  # the order of the list is not the order of the work


@settings(max_examples=100, deadline=None)
@given(HOSTILE)
def test_unicode_and_newlines_move_no_line(text: str) -> None:
    assert [unicode(line) for line in newlines(text).split("\n")] == clean([text], ("unicode", "newlines"))[0].split(
        "\n"
    )


@pytest.mark.parametrize(
    ("cleaners", "before", "after"),
    [
        (("unicode",), "\ufeffcafe\u0301\x00\x07", "café"),
        (("unicode",), "zero\u200dwidth\u200cjoiners stay", "zero\u200dwidth\u200cjoiners stay"),
        (("newlines",), "a\r\nb\rc\u2028d\u0085e\vf\fg\n\r", "a\nb\nc\nd\ne\nf\ng\n\n"),
        (("whitespace",), "\n \n\tdef f():  \n\t\u00a0 x\n\n\n\n# y\n\n", "\tdef f():\n\t  x\n\n# y"),
        (("whitespace",), "a  b", "a  b"),
        (CLEANERS, "שלום\u00a0\r\nעולם ", "שלום\nעולם"),
        (CLEANERS, "", ""),
    ],
)
def test_examples(cleaners: tuple[str, ...], before: str, after: str) -> None:
    assert clean([before], cleaners) == [after]


def test_an_unknown_cleaner_is_named() -> None:
    with pytest.raises(ValueError, match="no cleaner is called 'quotes'"):
        cpu.clean(column(["a"]), ["quotes"])
