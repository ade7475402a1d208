"""Signals equal their definitions in plain Python, and the published numbers where a peer has them."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.engines import cpu
from pipeline.schema import SIGNALS
from tests.text.columns import HOSTILE, column

URL = re.compile(r"https?://(?:[A-Za-z0-9$\-_@.&+/:=?#~]|[!*(),]|%[0-9A-Fa-f]{2})+")
REPETITIVE = st.lists(st.sampled_from(["a", "bb", "a", "é", "a bb", "\n", "\n\n", "  ", "ccc", "\u2003"]), max_size=40)
LINKS = st.text(st.sampled_from("https://htp:/%4aF~#|'@ é.,;)"), max_size=60)


def signals(text: str) -> dict[str, float]:
    return {name: values[0].item() for name, values in cpu.signals(column([text])).items()}


def definition(text: str) -> dict[str, float]:
    """The table of `pipeline.text.signals`, said in Python."""
    words = text.split()
    full_lines = [line.strip() for line in text.split("\n") if line.strip()]
    full_paragraphs = [part.strip() for part in text.split("\n\n") if part.strip()]
    return {
        "char_count": len(text),
        "word_count": len(words),
        "line_count": len(text.split("\n")) if text else 0,
        "mean_word_length": sum(map(len, words)) / len(words) if words else 0.0,
        "duplicate_line_share": _repeats(full_lines),
        "duplicate_paragraph_share": _repeats(full_paragraphs),
        "url_share": sum(map(len, URL.findall(text))) / len(text) if text else 0.0,
        **{f"top_{n}gram_share": _top(words, n) / len(text) if text else 0.0 for n in (2, 3, 4)},
    }


def _repeats(parts: list[str]) -> float:
    return (len(parts) - len(set(parts))) / len(parts) if parts else 0.0


def _top(words: list[str], size: int) -> int:
    grams = [tuple(words[i : i + size]) for i in range(len(words) - size + 1)]
    counts = Counter(grams)
    if not counts or max(counts.values()) < 2:
        return 0
    top = min(counts, key=lambda g: (-counts[g], -len(" ".join(g)), grams.index(g)))
    taken, i = 0, 0
    while i < len(grams):
        hit = grams[i] == top
        taken += hit
        i += size if hit else 1
    return taken * len(" ".join(top))


@settings(max_examples=400, deadline=None)
@given(st.one_of(HOSTILE, REPETITIVE.map("".join), REPETITIVE.map(" ".join), LINKS))
def test_equal_their_definitions(text: str) -> None:
    found = signals(text)
    assert found == definition(text)
    assert all(0 <= share <= 1 for name, share in found.items() if name.endswith("_share"))


def test_names_and_types_are_the_schema_s() -> None:
    found = cpu.signals(column(["a"]))
    assert list(found) == list(SIGNALS)
    for name, kind in SIGNALS.items():
        assert found[name].dtype == kind.to_pandas_dtype(), name


@pytest.mark.parametrize(
    ("text", "share"),  # NeMo Curator's numbers, which datatrove shares for the first three
    [
        ("the cat sat on the mat the cat ran", 14 / 34),
        ("a b a b c d", 6 / 11),
        ("aa bb cc dd ee " * 3, 15 / 45),
        ("a a a a a a", 9 / 11),  # datatrove counts overlaps: 1.364
    ],
)
def test_top_2gram_share_is_curator_s(text: str, share: float) -> None:
    assert signals(text)["top_2gram_share"] == pytest.approx(share)


@pytest.mark.parametrize("text", ["", "x", "x y", "one short question that repeats nothing at all?"])
def test_a_short_text_is_not_repetitive(text: str) -> None:
    found = signals(text)
    assert [found[f"top_{n}gram_share"] for n in (2, 3, 4)] == [0.0, 0.0, 0.0]


def test_the_tie_goes_to_the_longest() -> None:
    """NeMo Curator gives .714 or .179 here, by PYTHONHASHSEED."""
    text = "ab cd ab cd extraordinarily long extraordinarily long xx"
    assert signals(text)["top_2gram_share"] == 2 * len("extraordinarily long") / len(text)


def test_whole_words_count_and_any_whitespace_parts_them() -> None:
    assert signals("a  b\nc a\tb c")["top_3gram_share"] == 2 * len("a b c") / 12
    assert signals("xa b a b y a bz")["top_2gram_share"] == 0.0  # `str.replace` finds `a b` three times


def test_urls() -> None:
    for text, characters in {
        "see https://a.io/x_y~z#frag now": 23,
        "https://a.io/p;q=1|r": 14,
        "www.a.io/p": 0,
        "(http://a.io)": 12,
    }.items():
        assert signals(text)["url_share"] == characters / len(text), text


def test_a_5_megabyte_row_of_one_letter_words() -> None:
    text = "a b c d " * 655_360
    found = signals(text)
    assert found["word_count"] == 4 * 655_360
    assert np.isclose(found["top_4gram_share"], 7 / 8)
