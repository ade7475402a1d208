"""Words: their counts, their marks, and a number for each different one."""

from __future__ import annotations

import numpy as np

from pipeline.text.ellipses import ends_with_ellipsis
from pipeline.text.hashing import FACTOR, slots_for
from pipeline.text.kernel import declare, int64
from pipeline.text.load import load
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

__all__ = ["HASH", "NUMBER_OF", "REPEATED", "SPACED", "count_word", "fold", "hash_bytes", "number_word"]

HASH = 1 << 16
"""A trait of a word: it holds a `#`."""

SPACED = 1 << 31
"""Set in a word's number: whitespace stands before it."""
NUMBER_OF = SPACED - 1
REPEATED = 1 << 31
"""Set in the length of a word that came twice."""

_ONE = np.uint64(1)
_HALF = np.uint64(32)
_STOP_WORDS = np.array(
    [int.from_bytes(word, "little") for word in (b"the", b"be", b"to", b"of", b"and", b"that", b"have", b"with")],
    np.uint64,
)


@declare("int64(uint8[::1], int64, int64, int64, uint64, int64, int64, int64[::1])", inline=True)
def count_word(
    buffer: np.ndarray,
    first: int,
    last: int,
    characters: int,
    eight: np.uint64,
    traits: int,
    measured: int,
    measures: np.ndarray,
) -> int:
    """Count a word, and return which of the stop words it is: a bit, or 0.

    Args:
        buffer: Bytes of the column; the word is `[first, last)`.
        first: Its first byte.
        last: One past its last byte.
        characters: How many it has.
        eight: Its bytes (`load`) if it is shorter than eight and all are visible ASCII, else 0.
        traits: Flags of `unicode_classes` that any of them has; and `HASH`.
        measured: 1 if its length says something: it is no letter of a script without spaces.
        measures: What is counted.
    """
    if measured and characters > measures[LONGEST_WORD]:
        measures[LONGEST_WORD] = characters
    bare = traits & PLAIN == 0
    if bare or not measured:
        measures[BARE_WORDS] += 1 if bare else 0
        measures[UNMEASURED_WORDS] += 0 if measured else 1
        measures[UNMEASURED_CHARACTERS] += 0 if measured else characters
        measures[UNMEASURED_OR_BARE_WORDS] += 1
        measures[UNMEASURED_OR_BARE_CHARACTERS] += characters
    letters = traits & LETTER != 0
    measures[UNALPHABETIC_WORDS] += 0 if letters else 1
    if traits & HASH and 2 * hash_runs(buffer, first, last) > characters:
        measures[SYMBOL_WORDS] += 1
    elif not traits & (LETTER | NUMBER) and last - first <= 5:
        measures[SYMBOL_WORDS] += 1 if ends_with_ellipsis(buffer, first, last) == last - first else 0
    stop_word = int64(0)
    for k in range(8):
        stop_word |= int64(eight == _STOP_WORDS[k]) << k
    measures[STOP_WORDS] += 1 if stop_word else 0
    measures[STOP_WORD_SET] |= stop_word
    return stop_word


@declare("int64(uint8[::1], int64, int64)")
def hash_runs(buffer: np.ndarray, first: int, last: int) -> int:
    """Return how many runs of `#` the word `[first, last)` has."""
    runs = 0
    for i in range(first, last):
        if buffer[i] == 35 and (i == first or buffer[i - 1] != 35):
            runs += 1
    return runs


@declare("uint64(uint8[::1], int64, int64, int64, uint64)")
def hash_bytes(buffer: np.ndarray, first: int, last: int, end: int, key: np.uint64) -> np.uint64:
    """Return the hash of the bytes `[first, last)` of a row that ends at `end`, as `signals.measure` makes it."""
    word = key
    at = first
    while at + 8 <= last:
        word = fold(word, load(buffer, at, end))
        at += 8
    return fold(word, load(buffer, at, end) & (_ONE << np.uint64(8 * (last - at))) - _ONE)


@declare("uint64(uint64, uint64)", inline=True)
def fold(word: np.uint64, eight: np.uint64) -> np.uint64:
    """Return the hash of what `word` is the hash of and of eight bytes more."""
    word ^= eight
    return (word ^ word >> _HALF) * FACTOR


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
    mask = np.uint64(size[1] - 1)
    slot = word & mask
    words = size[0]
    # Whether a word came before, a processor would guess wrong too often: at a free slot it is found where the next new
    # one stands, and the only branch is on words that differ.
    vocabulary[np.uint64(words)] = word
    entry = int64(table[slot])
    number = entry - 1 if entry else words
    while vocabulary[np.uint64(number)] != word:
        slot = (slot + _ONE) & mask
        entry = int64(table[slot])
        number = entry - 1 if entry else words
    table[slot] = number + 1
    lengths[np.uint64(number)] = characters | (REPEATED if number < words else 0)
    size[0] = words + (1 if number == words else 0)
    if 2 * size[0] > size[1]:
        size[1] *= 2
        enter_words(vocabulary, size[0], table, size[1])
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
    mask = np.uint64(slots - 1)
    for free in range(slots):
        table[free] = 0
    for number in range(words):
        slot = vocabulary[number] & mask
        while table[slot] != 0:
            slot = (slot + _ONE) & mask
        table[slot] = number + 1
    return slots
