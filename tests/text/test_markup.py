"""`html` and `markdown`: what a reader of the page would see, and nothing that only looks like markup."""

from __future__ import annotations

import html
from html.entities import name2codepoint

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.text.columns import HOSTILE
from tests.text.dirt import DIRTY, clean_one


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Tom &amp; Jerry &lt;3 &quot;x&quot; &eacute;&#233;&#xE9; &#8217;&#146;", 'Tom & Jerry <3 "x" ééé ’’'),
        ("&amp;amp;amp;lt; stays one sign", "< stays one sign"),
        ("AT&T &c. &unknown; &amp &#0; &#xD800; &#1114112; &;", "AT&T &c. &unknown; &amp &#0; &#xD800; &#1114112; &;"),
        ("one<br>two<br/>three", "one\ntwo\nthree"),
        ('<p class="x">A <b>bold</b> word, <a href="https://a.io">a link</a>.</p>', "\nA bold word, a link.\n"),
        ("<td>1</td><td>2</td>", " 1  2 "),
        ("a<!-- hidden <b>--> b<!DOCTYPE html>", "a b"),
        ("&lt;b&gt;escaped&lt;/b&gt;", "escaped"),
    ],
)
def test_html_goes(before: str, after: str) -> None:
    assert clean_one(before, "html") == after


@pytest.mark.parametrize(
    "text",
    [
        "a < b and c > d, x <- y, i<n>",
        "<EMAIL> <PHONE_1> <EMAIL:3f9c> <ADDRESS> <bob@example.com> <https://a.io>",
        "std::vector<int> map<string, List<Object>> Vec<u> Option<Box<i>> foo::<a>()",
        "<T> <unk> <|endoftext|> <s1> <think> <b c d> < b > <b",
        "if (a<b && c>d) <! -- <!- no comment <!-- no end",
    ],
)
def test_what_is_no_html_stays(text: str) -> None:
    assert clean_one(text, "html") == text


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from(["a ", "é", *(f"&{name};" for name in name2codepoint), "&#233;", "&#x1F600;", "&#150;"]))
)
def test_references_are_read_as_a_browser_does(pieces: list[str]) -> None:
    text = "".join(piece for piece in pieces if piece not in ("&amp;", "&lt;"))  # which could make more of them
    assert clean_one(text, "html") == html.unescape(text)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("# Title\n\n### Sub title\ntext", "Title\n\nSub title\ntext"),
        ("*emphasis*, **strong**, ***both***, _under_, __two words__", "emphasis, strong, both, under, two words"),
        ("**over\ntwo lines**", "over\ntwo lines"),
        ("**_nested_ words** and *one **in** other*", "nested words and one in other"),
        ("see [the docs](https://a.io/x) and ![logo](img/a.png)", "see the docs (https://a.io/x) and logo (img/a.png)"),
        ("`open *a b* c", "`open a b c"),  # a backtick without its pair is no code
        ("![](a.png) [![badge](b.svg)](https://c.io)", "a.png badge (b.svg) (https://c.io)"),
    ],
)  # fmt: skip
def test_markdown_goes(before: str, after: str) -> None:
    assert clean_one(before, "markdown") == after


@pytest.mark.parametrize(
    "text",
    [
        "snake_case_name, __init__, _private, self._x_(1), a_b_c, __all__ = [], _x, y_z, z_ and __name__ or _f_(1)",
        "2 * 3 * 4, a*b*c, **kwargs, *args, f(*args, **kwargs), 2**3**4, * item\n* item",
        "***** **** ****-**** `*a*` ``_b_ ` c`` \\*no\\*",
        "```python\n# not a heading\nx = '**a**' * 2 [a](b.c)\n```",
        "~~~~\n```\n*a*\n~~~\n# b\n~~~~\n",
        "    # indented *code*\n\t[a](b.c)",
        "#hashtag #1 C# ####### seven",
        "f[0](a.b) [x](int) [&](auto a) [1] [link] (b.c) [a] (b.c)",
    ],
)
def test_what_is_no_markdown_stays(text: str) -> None:
    assert clean_one(text, "markdown") == text


@settings(max_examples=300, deadline=None)
@given(st.one_of(DIRTY, HOSTILE), DIRTY)
def test_fenced_code_stays_byte_for_byte(before: str, code: str) -> None:
    if "`" in before or "~" in before or "`" in code or "<" in before:
        return
    block = f"````\n{code}\n````\n"
    cleaned = clean_one(f"{before}\n\n{block}", "markdown")
    assert cleaned.endswith(block)
