"""How often datatrove, with spaCy's words, decides the same; `python -m tests.conformance.agreement` prints it."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from datatrove.utils.text import split_into_words
from datatrove.utils.typeshelper import Languages

from tests.conformance.peer import LIMITS, OUTCOMES, outcome, with_words
from tests.conformance.texts import english, rows_of

__all__ = ["Agreement", "agreements"]


class Agreement(NamedTuple):
    """One rule of datatrove's, or a whole filter, on real English text.

    Attributes:
        name: The filter's, or our signal's and the bound.
        texts: How many there were.
        share: Of texts that both keep or both drop.
        stricter: Texts that only datatrove drops.
        milder: Texts that only we drop.
    """

    name: str
    texts: int
    share: float
    stricter: int
    milder: int


def agreements(step: int = 1) -> list[Agreement]:
    """Compare the decisions on every `step`-th text: of whole filters, then of each rule alone."""
    texts, rows = english()[::step], rows_of(english())[::step]
    tokens = {text: split_into_words(text, Languages.english) for text in texts}
    found = []
    with with_words(tokens.__getitem__):
        for name, (build, ours) in OUTCOMES.items():
            rule = build()
            pairs = [
                (outcome(rule, text) == "kept", ours(row) == "kept") for text, row in zip(texts, rows, strict=True)
            ]
            found.append(_agreement(name, pairs))
        for limit in LIMITS:
            pairs = [
                (limit.keeps(limit.usual, text), limit.passes(row[limit.signal]))
                for text, row in zip(texts, rows, strict=True)
            ]
            found.append(_agreement(f"{limit.signal} {'≤' if limit.largest else '≥'} {limit.usual:g}", pairs))
    return found


def _agreement(name: str, pairs: list[tuple[bool, bool]]) -> Agreement:
    counts = Counter(pairs)
    equal = counts[True, True] + counts[False, False]
    return Agreement(name, len(pairs), equal / len(pairs), counts[False, True], counts[True, False])


if __name__ == "__main__":
    for one in agreements():
        print(f"| {one.name} | {one.share:.3f} | {one.stricter} | {one.milder} |")
