"""The rule of decontamination in plain Python: sets of n-grams, row by row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from tests.text.words_of import ngrams_of, words_of

__all__ = ["hits_of", "text_ngrams"]

Message = tuple[str, str]
"""Half and content."""


def text_ngrams(text: str, ngram: int, shortest: int) -> set[tuple[str, ...]]:
    """What is looked for of an evaluation text."""
    count = len(words_of(text))
    if count >= ngram:
        return set(ngrams_of(text, ngram))
    return set(ngrams_of(text, count)) if count >= shortest else set()


def hits_of(
    row: Sequence[str],
    evaluation: Mapping[str, Sequence[Message]],
    *,
    ngram: int,
    shortest: int,
    common: int,
    share: float,
) -> dict[str, tuple[str, float]]:
    """Half → id and share of the evaluation row that most is found of, for one row's contents."""
    texts = [
        (name, half, text_ngrams(text, ngram, shortest)) for name, said in evaluation.items() for half, text in said
    ]
    rows = Counter(gram for name in evaluation for gram in set().union(*(g for n, _, g in texts if n == name)))
    held = {gram for text in row for length in range(1, ngram + 1) for gram in ngrams_of(text, length)}
    best: dict[str, tuple[str, float]] = {}
    for name, half, grams in texts:
        grams = {gram for gram in grams if rows[gram] <= common}
        if grams & held and len(grams & held) / len(grams) >= share:
            found = len(grams & held) / len(grams)
            if half not in best or found > best[half][1]:
                best[half] = (name, found)
    return best
