"""datatrove as it comes splits texts with spaCy, whose words are not ours: how far the decisions agree all the same."""

from __future__ import annotations

import pytest

pytest.importorskip("datatrove", reason="datatrove (extra `bench`) is not installed")
pytest.importorskip("spacy", reason="spaCy (extra `bench`), which splits datatrove's words, is not installed")

from datatrove.utils.text import split_into_words
from datatrove.utils.typeshelper import Languages

from tests.conformance.agreement import agreements

ALPHABETIC = "alphabetic_word_share ≥ 0.8"


def test_most_decisions_are_the_same() -> None:
    """`docs/signals.md` gives the shares over all texts, and why some differ."""
    found = {one.name: one for one in agreements(step=3)}
    different = {name: one.share for name, one in found.items() if one.share < 0.95}
    assert different.keys() == {"Gopher quality", ALPHABETIC}
    assert found[ALPHABETIC].stricter > 0
    assert found[ALPHABETIC].milder == 0  # a mark by itself is a word without a letter


def test_why_they_differ() -> None:
    """spaCy takes marks and clitics off words, so that there are more of them, and shorter ones."""
    assert split_into_words('It doesn\'t "work", she said.', Languages.english) == [
        *("It", "does", "n't", '"', "work", '"', ",", "she", "said", ".")
    ]
