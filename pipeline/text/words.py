"""Words: their counts, their marks, and a number for each different one."""

from __future__ import annotations

import numpy as np

from pipeline.text.ellipses import ends_with_ellipsis
from pipeline.text.hashing import slots_for
from pipeline.text.kernel import declare, int64
from pipeline.text.measures import (
    BARE_WORDS,
    LONGEST_WORD,
    STOP_WORD_SET,
    STOP_WORDS,
    SYMBOL_WORDS,
    UNALPHABETIC_WORDS,
    UNMEASURED_CHARACTERS,
    UNMEASURED_OR_BARE_CHARACTERS,
    UNMEASURED_OR_BARE_WORDS,
    UNMEASURED_WORDS,
)
from pipeline.text.unicode_classes import LETTER, NUMBER, PLAIN

__all__ = ["NUMBER_OF", "REPEATED", "SPACED", "count_word", "number_word"]

SPACED = 1 << 31
"""Set in a word's number: whitespace stands before it."""
NUMBER_OF = SPACED - 1
REPEATED = 1 << 31
"""Set in the length of a word that came twice."""

_STOP_WORDS = np.array(
    [int.from_bytes(b"\1" + word, "big") for word in (b"the", b"be", b"to", b"of", b"and", b"that", b"have", b"with")],
    np.uint64,
)


@declare("int64(uint8[::1], int64, int64, int64, uint64, int64, int64, int64, int64[::1])", inline=True)
def count_word(
    buffer: np.ndarray,
    first: int,
    last: int,
    characters: int,
    packed: np.uint64,
    traits: int,
    hash_runs: int,
    measured: int,
    measures: np.ndarray,
) -> int:
    """Count a word, and return 1 if it is one of the stop words.

    Args:
        buffer: Bytes of the column; the word is `[first, last)`.
        first: Its first byte.
        last: One past its last byte.
        characters: How many it has.
        packed: Its last ASCII characters as digits to the base 256, behind a 1.
        traits: Flags of `unicode_classes` that any of them has.
        hash_runs: Runs of `#` in it.
        measured: 1 if its length says something: it is no letter of a script without spaces.
        measures: What is counted.
    """
    if measured and characters > measures[LONGEST_WORD]:
        measures[LONGEST_WORD] = characters
    if not measured:
        measures[UNMEASURED_WORDS] += 1
        measures[UNMEASURED_CHARACTERS] += characters
    if not traits & PLAIN:
        measures[BARE_WORDS] += 1
    if not (measured and traits & PLAIN):
        measures[UNMEASURED_OR_BARE_WORDS] += 1
        measures[UNMEASURED_OR_BARE_CHARACTERS] += characters
    if 2 * hash_runs > characters or (
        not traits & (LETTER | NUMBER) and last - first <= 5 and ends_with_ellipsis(buffer, first, last) == last - first
    ):
        measures[SYMBOL_WORDS] += 1
    if not traits & LETTER:
        measures[UNALPHABETIC_WORDS] += 1
    elif last - first <= 4 and packed >> np.uint64(8 * (last - first)) == np.uint64(1):
        for k in range(8):
            if packed == _STOP_WORDS[k]:
                measures[STOP_WORDS] += 1
                measures[STOP_WORD_SET] |= 1 << k
                return 1
    return 0


@declare("int64(uint64, int64, uint64[::1], uint32[::1], uint32[::1], int64[::1])", inline=True)
def number_word(
    word: np.uint64,
    characters: int,
    vocabulary: np.ndarray,
    lengths: np.ndarray,
    table: np.ndarray,
    size: np.ndarray,
) -> int:
    """Return the number of a word, 0 for the first; a new one gets the next.

    Args:
        word: Its hash.
        characters: How many it has.
        vocabulary: The hashes of the words so far.
        lengths: Their characters; `REPEATED` is set for one that comes again.
        table: Open addressing: the number of a word + 1 at its hash's slot; 0 is free. It grows with the words.
        size: How many words there are, and how many slots.
    """
    slots = size[1]
    slot = int64(word & np.uint64(slots - 1))
    while table[slot] != 0:
        number = int64(table[slot]) - 1
        if vocabulary[number] == word:
            lengths[number] = int64(lengths[number]) | REPEATED
            return number
        slot = (slot + 1) & (slots - 1)
    number = size[0]
    vocabulary[number] = word
    lengths[number] = characters
    table[slot] = number + 1
    size[0] = number + 1
    if 2 * (number + 1) > slots:
        size[1] = 2 * slots
        enter_words(vocabulary, number + 1, table, 2 * slots)
    return int64(number)


@declare("int64(int64, uint32[::1], int64[::1])")
def clear_words(expected: int, table: np.ndarray, size: np.ndarray) -> int:
    """Begin an empty vocabulary with room for `expected` words; return its slots."""
    size[0] = 0
    size[1] = min(slots_for(expected), len(table))
    for slot in range(size[1]):
        table[slot] = 0
    return int64(size[1])


@declare("int64(uint64[::1], int64, uint32[::1], int64)")
def enter_words(vocabulary: np.ndarray, words: int, table: np.ndarray, slots: int) -> int:
    """Enter the numbers of all `words` into a table of `slots`; return these."""
    for slot in range(slots):
        table[slot] = 0
    for number in range(words):
        slot = int64(vocabulary[number] & np.uint64(slots - 1))
        while table[slot] != 0:
            slot = (slot + 1) & (slots - 1)
        table[slot] = number + 1
    return slots
