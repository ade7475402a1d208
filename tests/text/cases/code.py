"""Comments, HTML, XML headers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from pipeline.text.code import CODE_MEASURES
from pipeline.text.comments import (
    ARROW,
    BAR_HASH,
    BRACKETS,
    DASH_CURLY,
    FAMILIES,
    HASH,
    PYTHON,
    SEMICOLON,
    STAR_SLASH,
    TRIPLE_DOUBLE,
    C,
)
from pipeline.text.html import BLOCK, NAME_BOUNDS, NAMES
from tests.text.cases.rows import ROWS, as_bytes, as_row

__all__ = ["cases"]

SOURCE = (
    b"<?xml version='1.0'?><p title=\"a>b\" x = 'y'>&amp; &#65; &#x41;&nope; &lt</p><!-- c -->\n"
    b"<SCRIPT>if (a<b)</script >\n'''doc \\''' str''' # x\nf(r\"\"\"not\"\"\") 'it''s' \"# no\" don't // c /* b */\n"
    b"-- d\nhttp://x {- h -} #| l |# --[[ q ]]\n`b` ; s % p \\% \xc3\xa9 /* open\n"
    b'<!--> <!-- u --!> <? i ?> </> </ x> <![CDATA[ <a b=c>d</a\n"""\n"""\n<style>x'
)
"""Every kind of comment, string and markup, closed and not."""


def cases() -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield (kernel, arguments)."""
    for text in (*ROWS, SOURCE, SOURCE[:90], b"x" * 90 + SOURCE):
        row = as_row(text)
        for family in range(-1, len(FAMILIES)):
            yield "code.measure_code", (*row, family, np.zeros(len(CODE_MEASURES), np.int64))
            if family >= 0:
                yield "comments.count_comment_characters", (*row, family)
        yield "code.has_xml_header", row
        yield "html.count_visible_characters", row
        yield "comments.count_characters", row
    buffer, end = as_bytes(SOURCE), len(SOURCE)
    for at in range(0, end - BLOCK, 9):
        yield "html.characters_without_markup", (buffer, at)
    yield "html.characters_without_markup", (as_bytes("漢é plain ".encode() * 9), 1)
    for at in range(end):
        if SOURCE[at] in b"#/-{;%<":
            for family in (HASH, C, SEMICOLON):
                yield "comments.block_at", (buffer, at, end, family)
                yield "comments.is_line_comment", (buffer, 0, at, end, family)
        if SOURCE[at] in b"'\"`":
            yield "comments.string_stop", (buffer, at, end)
            for family in (PYTHON, C, SEMICOLON):
                yield "comments.triple_at", (buffer, at, end, family)
                yield "comments.opens_string", (buffer, 0, at, end, family)
            yield "comments.is_statement", (buffer, 0, at, at + 3, end)
        if SOURCE[at] == ord("<"):
            yield "html.markup_stop", (buffer, at, end)
        if SOURCE[at] == ord("&"):
            yield "html.reference_stop", (buffer, at, end)
    for at in range(0, end, 9):
        yield "comments.line_stop", (buffer, at, end)
        yield "html.after", (buffer, at, end, 62)
        yield "html.tag_stop", (buffer, at, end)
        yield "html.comment_stop", (buffer, at, end)
        for name in ((0, 6), (6, 11)):
            yield "html.is_raw", (buffer, at, end, *name)
            yield "html.raw_stop", (buffer, at, end, *name)
        for wanted in (STAR_SLASH, BRACKETS, DASH_CURLY, BAR_HASH, ARROW):
            yield "comments.find_bytes", (buffer, at, end, wanted)
        yield "comments.find_triple", (buffer, at, end, TRIPLE_DOUBLE)
    for block in (STAR_SLASH, BRACKETS, DASH_CURLY, BAR_HASH, ARROW, TRIPLE_DOUBLE):
        yield "comments.block_bit", (block,)
    for byte in range(40):
        yield "html.is_blank", (np.uint8(byte),)
    names = as_bytes(NAMES.tobytes())
    for name in (0, 1, 700, len(NAME_BOUNDS) - 2):
        first, last = int(NAME_BOUNDS[name]), int(NAME_BOUNDS[name + 1])
        for start, stop in ((first, last), (first, last - 1), (first + 1, last), (0, 4)):
            yield "html.compare", (names, start, stop, first, last)
