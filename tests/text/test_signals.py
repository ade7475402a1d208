"""Signals equal their definitions in plain Python, and the published numbers where a peer has them."""

from __future__ import annotations

import os
import random
import subprocess
import sys

import numpy as np
import pyarrow as pa
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
    """The signals of the fused pass; the others' kernels have tests of their own (`test_phrases`, `test_code`, …)."""
    names = definition("")
    return {name: values[0].item() for name, values in cpu.signals(column([text])).items() if name in names}


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


def test_names_and_types_are_the_table_s() -> None:
    found = cpu.signals(column(["a"]))
    assert list(found) == list(table.MEASURED)
    for name, signal in table.MEASURED.items():
        assert found[name].dtype == signal.type, name


def test_all_of_the_fused_pass_is_defined() -> None:
    others = {name for name in table.MEASURED if name not in definition("a b")}
    assert others == {"comment_share", "xml_header", "html_visible_char_count", "html_visible_share"} | {
        f"{name}_{what}"
        for name, what in (
            ("boilerplate_paragraph", "share_curator"),
            ("lorem_ipsum", "count"),
            ("curly_bracket", "count"),
            ("javascript_line", "share_c4"),
            ("policy_line", "share_c4"),
            ("unmarked_line", "share_c4"),
            ("few_word_line", "share_c4"),
        )
    }


def test_an_empty_text_has_no_words_lines_or_shares() -> None:
    assert set(signals("").values()) == {0}


@pytest.mark.parametrize(
    "text",
    [
        b"\x80",
        b"\xff\xfe",
        b"a\x80b \xbf",
        b"\xe6\xbc",
        b"\xe6\xbc a",
        b"\xe0\x80\x80 \xed\xa0\x80",
        b"\xf4\x90\x80\x80",
    ]
    + [bytes([byte]) for byte in range(128, 256)],
)
def test_bytes_that_are_no_utf8_stay_in_range(text: bytes) -> None:
    bounds = pa.py_buffer(np.array([0, len(text)], np.int64))
    raw = pa.LargeStringArray.from_buffers(1, bounds, pa.py_buffer(text))
    for name, values in cpu.signals(raw).items():
        high = table.SIGNALS[name].high
        assert np.isnan(values[0]) or 0 <= values[0] <= (np.inf if high is None else high), name


@settings(max_examples=50, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_rows_do_not_know_of_each_other(texts: list[str], random: random.Random) -> None:
    """Neither the order of rows, nor their part, nor what else is in the buffer changes a signal."""
    together = cpu.signals(column(texts))
    order = list(range(len(texts)))
    random.shuffle(order)
    shuffled = cpu.signals(column([texts[i] for i in order]))
    sliced = cpu.signals(column(texts)[1:])
    for name, values in together.items():
        np.testing.assert_array_equal(shuffled[name], values[order])
        np.testing.assert_array_equal(sliced[name], values[1:])
        alone = [cpu.signals(column([text]))[name][0] for text in texts[:1]]
        np.testing.assert_array_equal(alone, values[:1])


def test_they_do_not_know_of_python_s_hash_seed() -> None:
    code = (
        "import pyarrow as pa; from pipeline.engines import cpu; "
        "text = 'ab cd ab cd extraordinarily long extraordinarily long xx\\n\\nab cd\\n\\nab cd'; "
        "print({k: v.tolist() for k, v in cpu.signals(pa.array([text], pa.large_string())).items()})"
    )
    answers = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(answers) == 1


def test_urls() -> None:
    for text, characters in {
        "see https://a.io/x_y~z#frag now": 23,
        "https://a.io/p;q=1|r": 14,
        "www.a.io/p": 0,
        "(http://a.io)": 12,
        "http://a.io/?u=http://b.io": 26,
        "http://|http://b": 8,
        "ahttps://b": 9,
        "漢http://b字": 8,
    }.items():
        assert signals(text)["url_share"] == characters / len(text), text
