"""The cleaners."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from pipeline.engines.unicode_repair import characters, follow
from pipeline.text.c4_lines import CITATIONS, CITATIONS_BOUNDS
from pipeline.text.html_entities import NAMES
from pipeline.text.markdown import SCRATCH
from pipeline.text.suspects import BLOCK
from tests.text.cases.rows import TEXT, WORDS_OF_EIGHT, as_bytes, as_row, as_rows

__all__ = ["cases"]

MARKUP = (
    "# Title\n&amp;amp;lt; &#65;&#x41; &#146; &eacute; &nope; <br><b>x</b><td a='1'><EMAIL><!-- c --><!DOCTYPE html>"
    "f<int>\n*a* **b _c_** __init__ snake_case [t](u.v) ![](w/x) `*d*` \\*\n```\n*e*\n```\n    *f*\n“q”—’« <b =>"
).encode()
PASSAGES = (
    "#!/bin/sh\n# coding: x\n# Copyright (c) 2020\n\n/* SPDX-License-Identifier: MIT */\nPrivacy policy.\n\n"
    "One two three.\n[1] Two [edit] words <PHONE_1>. *** ok\x1cOn Monday 9:30\nAnn wrote:\n-----Original Message-----\n"
    "To: x\n\nend...\n\n© 2020 use cookies\n-- \nAnn\nSent from my phone\n"
).encode()
ROWS = (
    *as_rows(),
    as_row(MARKUP),
    as_row(PASSAGES),
    as_row(PASSAGES[10:]),
    as_row(PASSAGES[43:]),
    as_row(PASSAGES[78:]),
    as_row(TEXT),
    as_row("voilÃ  cafÃ© â€œx’s”Å “œ,".encode()),
)

REWRITES = (
    "boilerplate.remove_boilerplate",
    "c4_lines.keep_c4_lines",
    "controls.remove_controls",
    "licence_header.remove_licence_header",
    "newlines.unify_newlines",
    "quotes.straighten_quotes",
    "signature.remove_signature",
    "whitespace.trim_whitespace",
)
AT = (
    "c4_lines.citation_end",
    "c4_lines.is_tag",
    "c4_lines.split_width",
    "characters.whitespace_width",
    "controls.control_width",
    "licence_header.block_end",
    "licence_header.marker_width",
    "markdown.code_block_end",
    "markdown.code_span_end",
    "markdown.heading_end",
    "newlines.break_width",
    "quotes.mark_at",
    "whitespace.space_width",
)
"""Kernels of a byte's place."""
SPANS = (
    "boilerplate.filled_end",
    "boilerplate.is_policy",
    "boilerplate.paragraph_end",
    "boilerplate.paragraph_start",
    "c4_lines.keeps_line",
    "c4_lines.text_end",
    "html_remnants.comment_end",
    "licence_header.comment_end",
    "licence_header.is_preamble",
    "markdown.is_name",
    "markdown.line_end",
    "markdown.run_end",
    "passages.filled_line",
    "passages.line_stop",
    "passages.skip_blank_lines",
    "signature.has_time",
    "signature.is_signature_mark",
    "signature.signature_start",
    "whitespace.filled_end",
)
"""Kernels of a stretch that is not empty."""


def cases() -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield (kernel, arguments)."""
    for word in WORDS_OF_EIGHT:
        yield "suspects.is_telling", (np.uint64(int.from_bytes(word, "little")),)
    for row in ROWS:
        buffer, start, end = row
        yield "suspects.suspects", (*row, characters(), follow())
        yield "suspects.beyond_ascii", (*row, characters(), follow())
        for output, at in ((np.zeros(0, np.uint8), -1), (np.zeros(2048, np.uint8), 3)):
            for name in REWRITES:
                yield name, (*row, output, at)
            for name in ("html_remnants.remove_html", "markdown.plain_markdown"):
                yield name, (*row, output, at, np.zeros(SCRATCH, np.int64))
            yield "put.put_bytes", (*row, output, at, 2)
            yield "whitespace.put_spaces", (*row, output, at, 2)
        if start < end:
            for name in SPANS:
                yield name, row
            for phrases in ("holds_phrase", "begins_with"):
                module = "passages" if phrases == "holds_phrase" else "signature"
                yield f"{module}.{phrases}", (*row, CITATIONS, CITATIONS_BOUNDS)
            yield "signature.reply_header_end", (buffer, start, min(start + 20, end), end)
    buffer, start, end = as_row(TEXT)
    for at in range(start + 2, end - BLOCK + 1, 7):
        yield "suspects.block_flags", (buffer, at)
        yield "whitespace.is_trim", (buffer, at)
    yield "put.put_byte", (65, np.zeros(8, np.uint8), 1, 2)
    yield from _places()
    bounds = np.array([0, 5, 5, 40, len(TEXT)], np.int64)
    bounds.flags.writeable = False
    for first, last in ((0, 0), (0, 3), (2, 4)):
        yield "join.join_contents", (as_bytes(TEXT), bounds, first, last, np.zeros(len(TEXT) + 8, np.uint8), 1)
        yield "join.join_contents", (as_bytes(TEXT), bounds, first, last, np.zeros(0, np.uint8), -1)


def _places() -> Iterator[tuple[str, tuple[Any, ...]]]:
    text = TEXT + MARKUP + PASSAGES
    buffer = as_bytes(text)
    for at in range(0, len(text), 7):
        for name in AT:
            yield name, (buffer, at, len(text))
    for at, byte in enumerate(text):
        if byte == ord("&"):
            yield "html_entities.reference_at", (buffer, at, len(text), np.zeros(1, np.int64))
        if byte == ord("<"):
            yield "html_remnants.tag_end", (buffer, 0, at, len(text), np.zeros(1, np.int64))
        if byte in b"[!":
            yield "markdown.link_end", (buffer, 0, at, len(text), np.zeros(SCRATCH, np.int64))
        if byte in b"*_" and text[at - 1] != byte:
            stop = at + 1 + (text[at + 1] == byte)
            yield "markdown.opens", (buffer, 0, at, stop, len(text))
            yield "markdown.closes", (buffer, at, stop, len(text))
            yield "markdown.removes_run", (buffer, 0, at, stop, len(text), np.zeros(SCRATCH, np.int64))
    for key in (int(NAMES[0]), int(NAMES[-1]), int(NAMES[7]) + 1, 0):
        yield "html_entities.find_key", (NAMES, key)
    for code in (0x10000, 0x1F600, 0x30000):
        yield "suspects.far_flags", (code,)
    for byte in b"09afAFgG@":
        yield "html_entities.digit_of", (byte,)
        yield "passages.lower", (np.uint8(byte),)
