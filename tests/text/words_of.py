"""The words of a text and their n-grams, as `docs/decontamination.md` defines them, in plain Python."""

from __future__ import annotations

from pipeline.text import word_fold
from tests.text.word_fold_runs import folded, kind_of

__all__ = ["ngrams_of", "words_of"]


def words_of(text: str) -> list[tuple[str, int, int]]:
    """Every word in folded characters, with the places of its first byte and one past its last in UTF-8."""
    words: list[tuple[str, int, int]] = []
    inside = alone = False
    at = 0
    for character in text:
        end = at + len(character.encode())
        for part in folded(character):
            kind = kind_of(part)
            if kind == word_fold.TRANSPARENT:
                continue
            if kind == word_fold.SEPARATOR or kind == word_fold.OWN or alone:
                inside = False
            if kind != word_fold.SEPARATOR:
                before, start = (words.pop()[:2]) if inside else ("", at)
                words.append((before + part, start, end))
                inside, alone = True, kind == word_fold.OWN
        if inside:  # accents and the like belong to what they stand behind
            words[-1] = (*words[-1][:2], end)
        at = end
    return words


def ngrams_of(text: str, length: int) -> list[tuple[str, ...]]:
    """The n-grams of the words."""
    words = [word for word, _, _ in words_of(text)]
    return [tuple(words[k : k + length]) for k in range(len(words) - length + 1)]
