"""What cleaners are tested on: text made of the pieces that they look for."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from pipeline.engines import cpu
from tests.text.columns import HOSTILE, column

__all__ = ["DIRTY", "PIECES", "TAGS", "clean", "clean_one"]

TAGS = ("<EMAIL>", "<PHONE_1>", "<EMAIL:3f9c>", "<CREDIT_CARD>", "*****", "****-****")
"""What redaction leaves."""

PIECES = (
    *TAGS,
    *("a", "word ", "Some words here. ", "snake_case ", "x < y ", "1", ". "),
    *(" ", "  ", "    ", "\t", "\n", "\n\n", "\r\n"),
    *("&amp;", "&", "amp;", "lt;", "&lt;", "gt;", "&#38;", "&#x26;", "&nbsp;", "#38;", "&quot;", "&#10;", "&#xfeff;"),
    *("<", ">", "<b", "<b>", "</b>", "<br/>", "</p>", "<td>", "vector<int>", "<a href='x'>"),
    *("<!--", "-->", "<!DOCTYPE x>"),
    *("*", "**", "_", "__", "__init__", "`", "``", "```\n", "~~~\n", "[a]", "[", "](", "http://a.b/c"),
    *(")", "!", "# ", "\\"),
    *("-- \n", "--\n", "Sent from my phone", "On Monday, 9:30, x wrote:", "-----Original Message-----\n", "From: x\n"),
    *("We use cookies", "privacy policy", "© 2020", "[1]", "[edit]", "javascript", "...", '."'),
    *("# ", "// ", "/* ", " */", "#!/bin/sh\n", "Copyright (c) 2020 x", "# coding: utf-8\n", "-- "),
    "SPDX-License-Identifier: MIT",
    *("“", "’", "—", "«", "\u2028", "\x0c", "\x00", "\x85", "\ufeff", "\u00a0"),
    *("é", "e\u0301", "Ã©", "â€œ", "Â ", "Å“", "œ"),
)  # fmt: skip

DIRTY = st.one_of(st.lists(st.sampled_from(PIECES), max_size=30).map("".join), HOSTILE)
"""Text of those pieces, and hostile text."""


def clean(texts: Sequence[str], cleaners: Sequence[str]) -> list[str]:
    """Clean texts."""
    result: list[str] = cpu.clean(column(texts), cleaners).to_pylist()
    return result


def clean_one(text: str, *cleaners: str) -> str:
    """Clean one text."""
    return clean([text], cleaners)[0]
