"""How many characters of each class of ASCII a text has."""

from __future__ import annotations

import numpy as np

from pipeline.text.kernel import declare, int64
from pipeline.text.measures import (
    BREAKS,
    CURLY_BRACKETS,
    DIGITS,
    HASHES,
    KEPT_CHARACTERS,
    LETTERS,
    NUMBERS,
    PARENTHESES,
    SPACES,
)
from pipeline.text.unicode_classes import ASCII, DIGIT, LETTER, PARENTHESIS, SPACE

__all__ = ["count_ascii"]

CLASSES = np.array(
    (LETTERS, DIGITS, SPACES, PARENTHESES, KEPT_CHARACTERS, BREAKS, HASHES, CURLY_BRACKETS),
    np.int64,
)
"""Where they are counted."""


def _steps() -> np.ndarray:
    characters = np.arange(128)
    members = {
        LETTERS: ASCII & LETTER,
        DIGITS: ASCII & DIGIT,
        SPACES: ASCII & SPACE,
        PARENTHESES: ASCII & PARENTHESIS,
        # NeMo Curator's class is [a-zA-Z0-9\n?!,.]
        KEPT_CHARACTERS: np.isin(characters, [ord(mark) for mark in "\n?!,."]) | (ASCII & (LETTER | DIGIT) != 0),
        BREAKS: characters == ord("\n"),
        HASHES: characters == ord("#"),
        CURLY_BRACKETS: characters == ord("{"),
    }
    steps = np.zeros(256, np.uint64)
    for place, name in enumerate(CLASSES):
        steps[:128] |= (members[int(name)] != 0).astype(np.uint64) << np.uint64(8 * place)
    return steps


STEPS = _steps()
"""uint64 (256): of every byte, 1 in byte k if it is in class k."""
MOST = 255
"""So many steps fit a byte."""


@declare("int64(uint8[::1], int64, int64, int64[::1])")
def count_ascii(buffer: np.ndarray, start: int, end: int, measures: np.ndarray) -> int:
    """Add the characters of each class of ASCII to `measures`, and return the line feeds.

    Eight classes are counted at once, each in a byte of one number.

    Args:
        buffer: Bytes of the column; the row is `[start, end)`.
        start: Its first byte.
        end: One past its last byte.
        measures: What is counted.
    """
    i = start
    while i < end:
        stop = min(i + MOST, end)
        sums = np.uint64(0)
        while i < stop:
            sums += STEPS[buffer[np.uint64(i)]]
            i += 1
        for place in range(len(CLASSES)):
            measures[CLASSES[place]] += int64(sums >> np.uint64(8 * place) & np.uint64(MOST))
    measures[NUMBERS] += measures[DIGITS]
    return int64(measures[BREAKS])
