"""What a browser shows: as Python's HTML parser has it where both follow the standard, and by example."""

from __future__ import annotations

from html import escape
from html.entities import html5
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.text.html import count_visible_characters

TEXT = st.text(st.sampled_from("aé <>&'\"\n;#x1"), max_size=12).map(escape)
NAME = st.sampled_from(["p", "a", "script", "style", "Script", "scripts"])
ATTRIBUTE = st.sampled_from(["", " x", " x=1", ' x="a>b"', " x='<a>'", ' x = "y"'])


def visible(text: str | bytes) -> int:
    row = text.encode() if isinstance(text, str) else text
    buffer = np.frombuffer(b"<" + row + b"<x>", np.uint8)
    return count_visible_characters(buffer, 1, 1 + len(row))


class Reader(HTMLParser):
    """The peer's way: BeautifulSoup's `get_text` over `html.parser`, scripts and styles taken out."""

    def __init__(self) -> None:
        super().__init__()
        self.shown = ""
        self.hidden = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.hidden += tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        self.hidden -= tag in ("script", "style")

    def handle_data(self, data: str) -> None:
        self.shown += "" if self.hidden else data


def by_parser(text: str) -> int:
    reader = Reader()
    reader.feed(text)
    reader.close()
    return len(reader.shown)


@st.composite
def documents(draw: st.DrawFn) -> str:
    """Well-formed HTML with attributes, comments, references, scripts and styles."""
    parts = []
    for _ in range(draw(st.integers(0, 6))):
        name, attribute, text = draw(NAME), draw(ATTRIBUTE), draw(TEXT)
        inner = "if (a<b && c) '<p>'" if name.lower() in ("script", "style") else text
        parts.append(
            draw(st.sampled_from([f"<{name}{attribute}>{inner}</{name}>", text, f"<!--{text}-->", "<!doctype x>"]))
        )
    return "".join(parts)


@settings(max_examples=300, deadline=None)
@given(documents())
def test_well_formed_html_is_read_as_python_reads_it(text: str) -> None:
    assert visible(text) == by_parser(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", 0),
        ("plain text & more", 17),
        ("a < b, c > d", 12),
        ("1<2", 3),
        ("<", 1),
        ("</", 2),
        ("&", 1),
        ("<p>é</p>", 1),
        ("<p title='a>b'>x", 1),
        ("<p title=a>b", 1),
        ("<p never closed", 0),
        ("a<!-- b", 1),
        ("<!-->x", 1),
        ("<!--->x", 1),
        ("<!-- a --!>x", 1),
        ("<!doctype html>x", 1),
        ("<?xml version='1.0'?>x", 1),
        ("</>x</ y>z", 2),
        ("<script>a</scripts>b</script >c", 1),
        ("<STYLE>a</p></style>b", 1),
        ("<script>never closed", 0),
        ("&amp;&lt;&#65;&#x41;&#65x", 6),
        ("&nosuchname; &amp", 17),
        ("&CounterClockwiseContourIntegral;", 1),
        ("a&b;c", 5),
    ],
)
def test_examples(text: str, shown: int) -> None:
    assert visible(text) == shown


def test_every_named_reference_is_one_character() -> None:
    for name in html5:
        reference = f"&{name}"
        assert visible(reference) == (1 if name.endswith(";") else len(reference)), name
        assert visible(f"&{name[:-1]}\u00e9;") == len(name) + 2


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes(row: bytes) -> None:
    assert 0 <= visible(row) <= sum(byte & 0xC0 != 0x80 for byte in row)


@pytest.mark.parametrize(
    "unit", ["<a", "<!--", "<script>", "&#1", "&aaaaaaaa", '<a x="', "</", "<!", "<a =", "<script></script"]
)
def test_what_is_never_closed_costs_one_search(unit: str) -> None:
    assert 0 <= visible(unit * (1_000_000 // len(unit))) <= 1_000_000
