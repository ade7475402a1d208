"""Phrases and line rules equal their definitions in plain Python."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.text.phrases import C4, CURATOR, PHRASE_MEASURES, PHRASES, measure_phrases
from tests.text.columns import HOSTILE, SPACES
from tests.text.definition import words_of
from tests.text.rows import measured

PIECES = [phrase for _, phrase, _ in PHRASES] + [
    "\n",
    "\n\n",
    " ",
    "a",
    "B.",
    "...",
    "{",
    "Ünï",
    "漢",
    "字e\u0301",
    "ก็",
    "'",
    *SPACES,
]
BOILERPLATE = st.lists(st.one_of(st.sampled_from(PIECES), HOSTILE.map(lambda text: text[:3])), max_size=14).map("".join)


def measures(text: str | bytes) -> dict[str, int]:
    return measured(measure_phrases, PHRASE_MEASURES, text)


def definition(text: str) -> dict[str, int]:
    """What `measure_phrases` says, in Python."""
    lowered = text.encode().lower().decode()  # bytes fold ASCII alone
    curator = [phrase for _, phrase, meaning in PHRASES if meaning & CURATOR]
    c4 = [phrase for _, phrase, meaning in PHRASES if meaning & C4]
    paragraphs = lowered.split("\n\n")
    lines = [line.strip() for line in lowered.split("\n") if line.strip()]
    return {
        "paragraphs": len(paragraphs),
        "policy_paragraphs": sum(any(phrase in part for phrase in curator) for part in paragraphs),
        "lorem_ipsums": lowered.count("lorem ipsum"),
        "curly_brackets": text.count("{"),
        "filled_lines": len(lines),
        "javascript_lines": sum("javascript" in line for line in lines),
        "policy_lines": sum(any(phrase in line for phrase in c4) for line in lines),
        "unmarked_lines": sum(not line.endswith((".", "?", "!", '"', "'")) or line.endswith("...") for line in lines),
        "few_word_lines": sum(len(words_of(line)) < 3 for line in lines),
    }


@settings(max_examples=300, deadline=None)
@given(BOILERPLATE, st.booleans())
def test_equals_its_definition(text: str, upper: bool) -> None:
    text = text.upper() if upper and len(text.upper()) == len(text) and text.isascii() else text
    assert measures(text) == definition(text)


@pytest.mark.parametrize(("phrase", "meaning"), [(phrase, meaning) for _, phrase, meaning in PHRASES])
def test_every_phrase_is_found_in_any_case_and_only_whole(phrase: str, meaning: int) -> None:
    for text in (phrase, phrase.upper(), phrase.title(), f"x{phrase}y", f"{phrase[:3]}{phrase}"):
        assert measures(text) == definition(text)
        assert sum(measures(text)[name] for name in ("policy_paragraphs", "lorem_ipsums", "javascript_lines")) >= 1
    for text in (phrase[:-1], phrase[1:], phrase.replace(phrase[3], "\u017f", 1)):
        assert measures(text) == definition(text)


def test_the_kelvin_sign_is_no_k() -> None:
    assert "coo\u212aie policy".lower() == "cookie policy"
    assert measures("coo\u212aie policy")["policy_lines"] == 0


def test_a_phrase_does_not_cross_a_line_or_the_row() -> None:
    assert measures("terms of\nuse")["policy_lines"] == 0
    assert measures("")["filled_lines"] == 0
    assert measures("use")["policy_lines"] == 0  # `terms of ` stands before the row


def test_three_line_feeds_part_once() -> None:
    text = "privacy policy\n\n\nprivacy policy\n\n\n\nx"
    assert measures(text)["paragraphs"] == len(text.split("\n\n")) == 4
    assert measures(text)["policy_paragraphs"] == 2


@settings(deadline=None)
@given(st.binary(max_size=80))
def test_any_bytes_are_counted_within_bounds(row: bytes) -> None:
    found = measures(row)
    assert 0 <= found["policy_paragraphs"] <= found["paragraphs"] <= row.count(b"\n\n") + 1
    for name in ("javascript_lines", "policy_lines", "unmarked_lines", "few_word_lines"):
        assert 0 <= found[name] <= found["filled_lines"] <= row.count(b"\n") + 1
