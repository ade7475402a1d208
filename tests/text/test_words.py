"""Words of scripts with and without spaces."""

from __future__ import annotations

import numpy as np
import pytest

from tests.text.test_signals import signals


@pytest.mark.parametrize(
    ("text", "words", "mean"),
    [
        ("我喜欢吃苹果。你呢？", 10, np.nan),  # the marks beside the letters are words, too
        ("吾輩は猫である。", 8, np.nan),
        ("ที่นี่", 2, np.nan),  # a letter and the marks that follow it
        ("ภาษาไทย", 7, np.nan),
        ("iPhone手机 costs", 4, (6 + 5) / 2),
        ("「はい」 he said", 6, (2 + 4) / 2),
        ("한국어 문장", 2, 2.5),  # Korean has spaces
        ("« oui »", 3, 5 / 3),
        ("שלום עולם", 2, 4),
    ],
)
def test_word_counts_and_lengths(text: str, words: int, mean: float) -> None:
    found = signals(text)
    assert found["word_count"] == words
    np.testing.assert_equal(found["mean_word_length"], mean)


def test_a_chinese_page_is_not_one_long_word() -> None:
    found = signals("今天天气很好，我们去公园散步。" * 100)
    assert found["longest_word"] == 0
    assert found["sentence_count"] == 100
    assert found["alphabetic_word_share"] > 0.8
    assert found["word_count"] == 1500


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One. Two! Three?! Four", 3),
        ('He said "Go." (Really!) Then 3.14 and e.g.', 3),
        ("一。二！三？」四", 3),
        ("एक। दो।", 2),
        ("...", 1),
        ("", 0),
    ],
)
def test_sentences(text: str, sentences: int) -> None:
    assert signals(text)["sentence_count"] == sentences


@pytest.mark.parametrize(
    ("text", "share"),
    [("# a", 1 / 2), ("## a", 0), ("#a# b", 1 / 2), ("... a […] b", 2 / 4), ("a... b", 0), ("-» read more", 1 / 3)],
)
def test_symbol_words_are_curator_s(text: str, share: float) -> None:
    assert signals(text)["symbol_word_share_curator"] == share


def test_stop_words_are_whole_words_as_they_stand() -> None:
    found = signals("the The the, to éto \0to of\u00a0the wither with")
    assert found["stop_word_count"] == 5
    assert found["distinct_stop_word_count"] == 4
