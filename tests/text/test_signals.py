"""Signals equal their definitions in plain Python, and the published numbers where a peer has them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline import signals as table
from pipeline.engines import cpu
from tests.text.columns import HOSTILE, column
from tests.text.definition import definition

REPETITIVE = st.lists(st.sampled_from(["a", "bb", "a", "é", "a bb", "\n", "\n\n", "  ", "ccc", "\u2003"]), max_size=40)
LINKS = st.text(st.sampled_from("https://htp:/%4aF~#|'@ é.,;)"), max_size=60)
MARKS = [
    "...",
    "…",
    "#",
    "##",
    "[...]",
    "-»",
    "Read More",
    "•",
    "-",
    "●",
    "!",
    "?",
    '"',
    "»",
    ")",
    ".",
    "۔",
    "the",
    "with",
]
MARKS += ["of", "The", "3", "½", "٣", "🙂", "x" * 31, "https://a.b", "http://c%20d", "://", "\0", "abcdefghijklmno"]
MARKED = st.lists(st.sampled_from([*MARKS, *" \n\r \n\x85\x1f\u2028", "\r\n", "- "]), max_size=40)
SCRIPTS = st.text(st.sampled_from("漢字々ひらカナーกาที่ກ្កခ\u0301\u093e。！、「」「ABc1 \n한글é"), max_size=40)
PARTS = st.text(st.sampled_from("ab\n\n\n \t\x1c\r"), max_size=30)
TEXTS = st.one_of(
    HOSTILE, REPETITIVE.map("".join), REPETITIVE.map(" ".join), LINKS, MARKED.map("".join), SCRIPTS, PARTS
)


def signals(text: str) -> dict[str, float]:
    return {name: values[0].item() for name, values in cpu.signals(column([text])).items()}


@settings(max_examples=600, deadline=None)
@given(TEXTS)
@example("\n a\n\n \n\na \n")
@example("漢\u0301字 漢字漢字漢字")
def test_equal_their_definitions(text: str) -> None:
    found = signals(text)
    want = definition(text)
    assert found == pytest.approx(want, rel=0, abs=0, nan_ok=True)
    for name, value in found.items():
        high = table.SIGNALS[name].high
        assert np.isnan(value) or 0 <= value <= (np.inf if high is None else high), name
