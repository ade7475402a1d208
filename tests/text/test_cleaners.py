"""Cleaners do what their definitions say, change nothing twice, keep tags, and touch no row that needs none."""

from __future__ import annotations

import itertools
import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.engines import CLEANERS, cpu
from pipeline.text.quotes import PLAIN
from tests.text.columns import HOSTILE, column
from tests.text.dirt import DIRTY, TAGS, clean, clean_one

LINE_BREAK = re.compile("\r\n|[\r\v\f\x85\u2028\u2029]")


def controls(text: str) -> str:
    return "".join(c for c in text if c != "\ufeff" and (unicodedata.category(c) != "Cc" or c in "\t\n\v\f\r\x85"))


def unicode(text: str) -> str:
    return unicodedata.normalize("NFC", controls(text))


def newlines(text: str) -> str:
    return LINE_BREAK.sub("\n", text)


def quotes(text: str) -> str:
    return "".join(PLAIN.get(c, c) for c in text)


def whitespace(text: str) -> str:
    text = "".join(" " if unicodedata.category(c) == "Zs" else c for c in text)
    text = re.sub("[ \t]+(?=\n|$)", "", text)
    text = re.sub("\n{3,}", "\n\n", text)
    return text.strip("\n")


DEFINITIONS = {
    "controls": controls,
    "unicode": unicode,
    "newlines": newlines,
    "quotes": quotes,
    "whitespace": whitespace,
}
SUBSETS = [s for size in (1, 2, 3) for s in itertools.combinations(DEFINITIONS, size)]
LISTS = st.lists(st.sampled_from(CLEANERS), unique=True)


@settings(max_examples=60, deadline=None)
@given(st.lists(HOSTILE, max_size=6))
def test_equal_their_definitions(texts: list[str]) -> None:
    for subset in SUBSETS:
        expected = texts
        for cleaner in subset:
            expected = [DEFINITIONS[cleaner](text) for text in expected]
        assert clean(texts, subset) == expected


LONG = st.lists(
    st.one_of(
        HOSTILE,
        st.sampled_from(
            ["word " * 16, "a line\n" * 12, "x\n\n" * 25, "    indented\n" * 6, "é" * 40, "\n", " ", "\t\n"]
        ),
        st.integers(60, 70).map("y".__mul__),
    ),
    max_size=12,
).map("".join)
"""Text in which kernels meet both what they pass over in blocks and what they look at byte by byte."""


@settings(max_examples=300, deadline=None)
@given(st.lists(LONG, max_size=3))
def test_equal_their_definitions_in_long_texts(texts: list[str]) -> None:
    for cleaner, definition in DEFINITIONS.items():
        assert clean(texts, [cleaner]) == [definition(text) for text in texts]


@settings(max_examples=600, deadline=None)
@given(st.lists(DIRTY, max_size=4), LISTS)
def test_cleaning_what_is_clean_changes_nothing(texts: list[str], cleaners: list[str]) -> None:
    once = clean(texts, cleaners)
    assert clean(once, cleaners) == once
    assert clean(texts, cleaners[::-1]) == once  # the order of the list is not the order of the work
    assert [clean_one(text, *cleaners) for text in texts] == once  # no row sees another


@settings(max_examples=200, deadline=None)
@given(DIRTY)
def test_every_cleaner_alone_changes_nothing_twice(text: str) -> None:
    for cleaner in CLEANERS:
        once = clean_one(text, cleaner)
        assert clean_one(once, cleaner) == once, cleaner


@settings(max_examples=100, deadline=None)
@given(HOSTILE)
def test_controls_and_newlines_move_no_line(text: str) -> None:
    after = clean_one(text, "controls", "newlines").split("\n")
    assert [controls(line) for line in newlines(text).split("\n")] == after


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(TAGS), st.sampled_from(TAGS), LISTS)
def test_tags_of_redaction_stay(one: str, other: str, cleaners: list[str]) -> None:
    for text in (f"Write to {one} or {other}.", f'"({one}), {other}; {one}{other}"', f"Call {one}.\n{other} is mine."):
        assert clean_one(text, *cleaners) == text
    assert clean_one(f"Call {one}.", *CLEANERS) == f"Call {one}."  # two words, but it was a number of three before


def test_rows_that_need_nothing_are_not_written() -> None:
    sound = column(["Plain prose, in ASCII.\n\n\tAnd a tab.", "Größe, naïve, Straße: доброе утро, 日本語、🙂", ""])
    assert cpu.clean(sound, ["mojibake", "unicode", "newlines", "html", "quotes", "whitespace"]) is sound
    some = column(["a\r\nb", *sound.to_pylist()])
    assert clean(some.to_pylist(), ["newlines", "whitespace"]) == ["a\nb", *sound.to_pylist()]


def test_a_row_that_does_not_settle_is_named_and_stays() -> None:
    nested = "<span" * 40 + ">" * 40
    texts, settled = cpu.clean_until_stable(column(["fine<b>", nested, "<i>"]), ["html"])
    assert texts.to_pylist() == ["fine<b>", nested, ""]
    assert settled.tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("cleaners", "before", "after"),
    [
        (("unicode",), "\ufeffcafe\u0301\x00\x07", "café"),
        (("controls",), "\ufeffcafe\u0301\x00\x07", "cafe\u0301"),
        (("unicode",), "zero\u200dwidth\u200cjoiners stay", "zero\u200dwidth\u200cjoiners stay"),
        (("newlines",), "a\r\nb\rc\u2028d\u0085e\vf\fg\n\r", "a\nb\nc\nd\ne\nf\ng\n\n"),
        (("whitespace",), "\n \n\tdef f():  \n\t\u00a0 x\n\n\n\n# y\n\n", "\tdef f():\n\t  x\n\n# y"),
        (("whitespace",), "a  b", "a  b"),
        (("quotes",), "“Well—it’s ‘10–20’,” «he» said…", '"Well--it\'s \'10-20\'," "he" said…'),
        (CLEANERS, "שלום\u00a0\r\nעולם. ", ""),
        (CLEANERS, "", ""),
    ],
)
def test_examples(cleaners: tuple[str, ...], before: str, after: str) -> None:
    assert clean_one(before, *cleaners) == after


def test_an_unknown_cleaner_is_named() -> None:
    with pytest.raises(ValueError, match="no cleaner is called 'spelling'"):
        cpu.clean(column(["a"]), ["spelling"])
