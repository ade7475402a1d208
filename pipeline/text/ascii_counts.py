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
BLOCK = 64
"""Bytes that are counted at once."""


@declare("int64(uint8[::1], int64, int64, int64[::1])")
def count_ascii(buffer: np.ndarray, start: int, end: int, measures: np.ndarray) -> int:
    """Add the characters of each class of ASCII to `measures`, and return the line feeds.

    Blocks are counted in vector instructions, and behind them eight classes at once, each in a byte of one number.

    Args:
        buffer: Bytes of the column; the row is `[start, end)`.
        start: Its first byte.
        end: One past its last byte.
        measures: What is counted.
    """
    i = start
    while i + BLOCK <= end:
        count_block(buffer, i, measures)
        i += BLOCK
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


@declare("int64(uint8[::1], int64, int64[::1])", inline=True)
def count_block(buffer: np.ndarray, at: int, measures: np.ndarray) -> int:
    """Add the characters of the `BLOCK` bytes from `at` on, and return its letters.

    The loop has no branch and counts in bytes, so that a compiler makes vector instructions of it.
    """
    letters = digits = spaces = parentheses = kept = breaks = hashes = brackets = np.uint8(0)
    for k in range(at, at + BLOCK):
        a = buffer[np.uint64(k)]
        small = a | np.uint8(32)  # of [ ] too: { }
        letter = (small >= 97) & (small <= 122)
        digit = (a >= 48) & (a <= 57)
        feed = a == 10
        mark = (a == 33) | (a == 44) | (a == 46) | (a == 63)  # ! , . ?
        letters = np.uint8(letters + letter)
        digits = np.uint8(digits + digit)
        spaces = np.uint8(spaces + ((a == 32) | ((a >= 9) & (a <= 13)) | ((a >= 28) & (a <= 31))))
        parentheses = np.uint8(parentheses + ((a == 40) | (a == 41) | (small == 123) | (small == 125)))
        kept = np.uint8(kept + (letter | digit | feed | mark))
        breaks = np.uint8(breaks + feed)
        hashes = np.uint8(hashes + (a == 35))
        brackets = np.uint8(brackets + (a == 123))
    measures[LETTERS] += int64(letters)
    measures[DIGITS] += int64(digits)
    measures[SPACES] += int64(spaces)
    measures[PARENTHESES] += int64(parentheses)
    measures[KEPT_CHARACTERS] += int64(kept)
    measures[BREAKS] += int64(breaks)
    measures[HASHES] += int64(hashes)
    measures[CURLY_BRACKETS] += int64(brackets)
    return int64(letters)
