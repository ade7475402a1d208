"""Phrases and line rules equal their definitions in plain Python, wherever in a row they stand."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.engines import cpu
from pipeline.text.phrases import C4, CURATOR, PHRASES
from pipeline.text.rare import BLOCK
from tests.text.columns import HOSTILE, SPACES, column
from tests.text.definition import words_of

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


def signals(text: str) -> dict[str, float]:
    """The signals of boilerplate of a row between two others whose bytes it must not see."""
    found = cpu.signals(column(["{\nterms of ", text, " use\ncookie policy"]))
    return {name: found[name][1].item() for name in definition("")}


def definition(text: str) -> dict[str, float]:
    """The signals of boilerplate, in Python."""
    lowered = text.encode().lower().decode()  # bytes fold ASCII alone
    curator = [phrase for _, phrase, meaning in PHRASES if meaning & CURATOR]
    c4 = [phrase for _, phrase, meaning in PHRASES if meaning & C4]
    paragraphs = lowered.split("\n\n")
    lines = [line.strip() for line in lowered.split("\n") if line.strip()]
    lorem_ipsums = lowered.count("lorem ipsum")
    policies = [part for part in paragraphs if lorem_ipsums or any(phrase in part for phrase in curator)]
    unmarked = [line for line in lines if not line.endswith((".", "?", "!", '"', "'")) or line.endswith("...")]

    def share(count: int) -> float:
        return count / len(lines) if lines else 0.0

    return {
        "boilerplate_paragraph_share_curator": len(policies) / len(paragraphs),
        "lorem_ipsum_count": lorem_ipsums,
        "curly_bracket_count": text.count("{"),
        "javascript_line_share_c4": share(sum("javascript" in line for line in lines)),
        "policy_line_share_c4": share(sum(any(phrase in line for phrase in c4) for line in lines)),
        "unmarked_line_share_c4": share(len(unmarked)),
        "few_word_line_share_c4": share(sum(len(words_of(line)) < 3 for line in lines)),
    }


@settings(max_examples=300, deadline=None)
@given(BOILERPLATE, st.booleans())
def test_equals_its_definition(text: str, upper: bool) -> None:
    text = text.upper() if upper and len(text.upper()) == len(text) and text.isascii() else text
    assert signals(text) == definition(text)


@pytest.mark.parametrize("phrase", [phrase for _, phrase, _ in PHRASES])
def test_every_phrase_is_found_in_any_case_and_only_whole(phrase: str) -> None:
    shares = ("boilerplate_paragraph_share_curator", "lorem_ipsum_count", "javascript_line_share_c4")
    for text in (phrase, phrase.upper(), phrase.title(), f"x{phrase}y", f"{phrase[:3]}{phrase}"):
        assert signals(text) == definition(text)
        assert sum(signals(text)[name] for name in shares) >= 1
    for text in (phrase[:-1], phrase[1:], phrase.replace(phrase[3], "\u017f", 1)):
        assert signals(text) == definition(text)


@pytest.mark.parametrize("sight", ["terms of use", "javascript", "lorem ipsum", "http://a.b", "...."])
def test_what_is_rare_is_found_at_every_place_of_a_block(sight: str) -> None:
    """`url_share` and the ellipses are those of `test_signals`; the blocks are shared with the phrases."""
    texts = ["y" * before + " " + sight + " " + "y" * behind for before in range(BLOCK + 3) for behind in (0, 1, 2, 70)]
    found = cpu.signals(column(texts))
    for k, text in enumerate(texts):
        want = definition(text) | {
            "url_share": len(sight) / len(text) if "://" in sight else 0.0,
            "ellipsis_word_ratio_datatrove": text.count("...") / len(text.split()),
        }
        assert {name: found[name][k].item() for name in want} == want, text


def test_the_kelvin_sign_is_no_k() -> None:
    assert "coo\u212aie policy".lower() == "cookie policy"
    assert signals("coo\u212aie policy")["policy_line_share_c4"] == 0


def test_a_phrase_does_not_cross_a_line_or_the_row() -> None:
    assert signals("terms of\nuse")["policy_line_share_c4"] == 0
    assert set(signals("").values()) == {0}
    assert signals("use")["policy_line_share_c4"] == 0  # `terms of ` stands before the row
