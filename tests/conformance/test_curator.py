"""NeMo Curator's formulas and our signals, row by row on real text; each class of difference is named here."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable

import pytest

pytest.importorskip("regex", reason="regex, whose classes NeMo Curator uses, is not installed")

from tests.conformance.curator import POLICY, most_frequent, scores, top_ngram
from tests.conformance.texts import english, languages, rows_of
from tests.conformance.words import unspaced

TOP = "top_{}gram_share_curator"


def is_ascii(text: str) -> bool:
    return text.isascii()


def has_other_space(text: str) -> bool:
    return any(character.isspace() != (character in "\t\n\r\b ") for character in text)


def has_other_letters(text: str) -> bool:
    """Curator's letters are Unicode's property Alphabetic, with marks and numbers; ours the general category L."""
    return any(unicodedata.category(character) in ("Mn", "Mc", "Nl", "So") for character in text)


def has_other_digits(text: str) -> bool:
    """Curator's digits are 0-9; ours are Unicode's decimal digits."""
    return any(character.isdecimal() and not character.isascii() for character in text)


def has_edges(text: str) -> bool:
    """Whether stripping the lines changes any of them."""
    return any(line.strip() and line != line.strip() for line in text.split("\n"))


def has_odd_paragraphs(text: str) -> bool:
    return any(not part.strip() or part != part.strip() for part in text.split("\n\n"))


DIFFERENT: dict[str, Callable[[str], bool]] = {
    "word_count": unspaced,
    "mean_word_length": unspaced,
    "longest_word": unspaced,
    "symbol_word_share_curator": unspaced,
    "stop_word_count": unspaced,
    "alphabetic_word_share": lambda text: unspaced(text) or has_other_letters(text),
    "alphabetic_share": has_other_letters,
    "digit_share": has_other_digits,
    "non_alphanumeric_share_curator": lambda text: not is_ascii(text),
    "whitespace_share": has_other_space,
    "duplicate_line_share_curator": has_edges,
    "duplicate_line_char_share_curator": has_edges,
    "duplicate_paragraph_share_curator": has_odd_paragraphs,
    "duplicate_paragraph_char_share_curator": has_odd_paragraphs,
    **{
        f"duplicate_{n}gram_share_curator": lambda text, n=n: unspaced(text) or len(text.split()) < n
        for n in range(5, 11)
    },  # type: ignore[misc]
}
"""Rows on which a number may differ, and why; on all others, and for all other signals, it must not."""

SIGNALS = sorted(set(scores("a")) - {TOP.format(n) for n in (2, 3, 4)})


@pytest.mark.parametrize("signal", SIGNALS)
def test_every_number_is_curators(signal: str) -> None:
    checked = 0
    for text, row in zip(texts := english() + languages(), rows_of(texts), strict=True):
        if DIFFERENT.get(signal, lambda _: False)(text):
            continue
        assert row[signal] == pytest.approx(scores(text)[signal], abs=1e-12), text[:60]
        checked += 1
    assert checked >= 20


@pytest.mark.parametrize("size", [2, 3, 4])
def test_the_top_ngram_is_curators_where_words_are_parted_by_single_spaces(size: int) -> None:
    """But for what `str.replace` finds inside longer words, and n-grams that come once, which we do not count."""
    equal, inside = 0, 0
    for text, row in zip(texts := tuple(" ".join(text.split()) for text in english()), rows_of(texts), strict=True):
        if unspaced(text):
            continue
        ours, theirs = row[TOP.format(size)], top_ngram(text, size)
        top = most_frequent(text, size) if len(text.split()) >= size else ""
        alone = len(re.findall(rf"(?<!\S){re.escape(top)}(?!\S)", text))
        if Counter(zip(*(text.split()[at:] for at in range(size)), strict=False)).most_common(1)[0][1] == 1:
            assert ours == 0
        elif text.count(top) == alone:
            assert ours == pytest.approx(theirs, abs=1e-12), text[:60]
            equal += 1
        else:
            assert ours < theirs
            inside += 1
    assert equal > 100
    assert inside > 0


def test_the_top_ngram_does_not_hide_behind_a_line_feed() -> None:
    """Curator finds only the n-grams whose words are parted by single spaces."""
    text = "one two three\n" * 9
    assert top_ngram(text, 4) == 0
    assert rows_of((text,))[0][TOP.format(4)] > 0.5


def test_boilerplate_has_curators_phrases() -> None:
    for phrase in POLICY:
        for text in (
            phrase,
            phrase.upper(),
            f"One.\n\n{phrase.title()}\n\n\n\nTwo.",
            phrase[:-1],
            f"Lorem Ipsum\n\n{phrase}",
        ):
            row = rows_of((text,))[0]
            assert row["boilerplate_paragraph_share_curator"] == scores(text)["boilerplate_paragraph_share_curator"]
