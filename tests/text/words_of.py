"""The words of a text and their n-grams, as `docs/decontamination.md` defines them, in plain Python."""

from __future__ import annotations

from pipeline.text import word_fold
from tests.text.word_fold_runs import folded, kind_of

__all__ = ["ngrams_of", "words_of"]


def words_of(text: str) -> list[tuple[str, int, int]]:
    """Every word in folded characters, with the places of its first byte and one past its last in UTF-8."""
    words: list[tuple[str, int, int]] = []
    open_word = False
    at = 0
    for character in text:
        end = at + len(character.encode())
        for part in folded(character):
            kind = kind_of(part)
            if kind == word_fold.SEPARATOR:
                open_word = False
            elif kind == word_fold.TRANSPARENT:
                continue
            elif kind == word_fold.OWN or not open_word:
                words.append((part, at, end))
            else:
                words[-1] = (words[-1][0] + part, words[-1][1], end)
            if kind != word_fold.SEPARATOR:
                open_word = kind == word_fold.INSIDE
                last_own = kind == word_fold.OWN
                words[-1] = (*words[-1][:2], end)
        # Accents and the like belong to what they stand behind.
        if folded(character) and all(kind_of(part) == word_fold.TRANSPARENT for part in folded(character)):
            if words and (open_word or last_own) and words[-1][2] == at:
                words[-1] = (*words[-1][:2], end)
        at = end
    return words


def ngrams_of(text: str, length: int) -> list[tuple[str, ...]]:
    """The n-grams of the words."""
    words = [word for word, _, _ in words_of(text)]
    return [tuple(words[k : k + length]) for k in range(len(words) - length + 1)]
