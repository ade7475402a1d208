"""Words: their counts, their marks, and a number for each different one."""

from __future__ import annotations

import numpy as np

from pipeline.text.ellipses import ends_with_ellipsis
from pipeline.text.hashing import FACTOR, slots_for
from pipeline.text.kernel import declare, int64
from pipeline.text.load import load, load_whole
from pipeline.text.measures import (
    BARE_WORDS,
    SYMBOL_WORDS,
    UNALPHABETIC_WORDS,
    UNMEASURED_CHARACTERS,
    UNMEASURED_OR_BARE_CHARACTERS,
    UNMEASURED_OR_BARE_WORDS,
    UNMEASURED_WORDS,
)
from pipeline.text.unicode_classes import LETTER, NUMBER, PLAIN, UNSPACED, code_point, flags_of

__all__ = [
    "NUMBER_OF",
    "REPEATED",
    "SPACED",
    "clear_words",
    "count_odd_word",
    "fold",
    "hash_bytes",
    "number_words",
    "stop_word",
]

SPACED = 1 << 31
"""Set in a word's number: whitespace stands before it."""
NUMBER_OF = SPACED - 1
REPEATED = 1 << 31
"""Set in the length of a word that came twice."""

_NONE = np.uint64(0)
_ONE = np.uint64(1)
_EIGHT = np.uint64(8)
_HALF = np.uint64(32)
FRONT = np.array([(1 << 8 * min(max(k - 8, 0), 8)) - 1 for k in range(25)], np.uint64)
"""At place 8 + n, the bytes of eight that are among the first n."""
_LIST = (b"the", b"be", b"to", b"of", b"and", b"that", b"have", b"with")
_STOP_WORDS = np.array([int.from_bytes(word, "little") for word in _LIST], np.uint64)
_STOP_SIZES = np.array([len(word) for word in _LIST], np.int64)


@declare("int64(uint64, int64)", inline=True)
def stop_word(eight: np.uint64, size: int) -> int:
    """Return which of the stop words a word is: a bit, or 0.

    Args:
        eight: Its first eight bytes, 0 behind its end.
        size: Its bytes.
    """
    which = int64(0)
    for k in range(8):
        which |= int64((_STOP_WORDS[k] ^ eight) | np.uint64(_STOP_SIZES[k] ^ size) == _NONE) << k
    return which


@declare("int64(uint8[::1], int64, int64, int64, int64, int64[::1])")
def count_odd_word(
    buffer: np.ndarray, first: int, last: int, characters: int, beside: int, measures: np.ndarray
) -> int:
    """Count a word that has a `#`, or beyond ASCII no letter of it, or is punctuation beside another word.

    Args:
        buffer: Bytes of the column; the word is `[first, last)`.
        first: Its first byte.
        last: One past its last byte.
        characters: How many it has.
        beside: 1 if no whitespace stands between it and the word before it, or the one behind it.
        measures: What is counted.

    Returns:
        1 if its length says something: it is no letter of a script without spaces, nor punctuation beside one.
    """
    traits = int64(0)
    unspaced = False
    sharp = False
    i = first
    while i < last:
        code = code_point(buffer, i, last)
        flags = flags_of(code) if code >= 0 else int64(0)
        unspaced |= i == first and flags & UNSPACED != 0
        sharp |= code == 35
        traits |= flags
        i += 1 if code < 0x80 else 2 if code < 0x800 else 3 if code < 0x10000 else 4
    measured = not unspaced and (traits & (LETTER | NUMBER) != 0 or not beside)
    bare = traits & PLAIN == 0
    if bare or not measured:
        measures[BARE_WORDS] += 1 if bare else 0
        measures[UNMEASURED_WORDS] += 0 if measured else 1
        measures[UNMEASURED_CHARACTERS] += 0 if measured else characters
        measures[UNMEASURED_OR_BARE_WORDS] += 1
        measures[UNMEASURED_OR_BARE_CHARACTERS] += characters
    measures[UNALPHABETIC_WORDS] += 0 if traits & LETTER else 1
    if sharp and 2 * hash_runs(buffer, first, last) > characters:
        measures[SYMBOL_WORDS] += 1
    elif not traits & (LETTER | NUMBER) and last - first <= 5:
        measures[SYMBOL_WORDS] += 1 if ends_with_ellipsis(buffer, first, last) == last - first else 0
    return 1 if measured else 0


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
    """Return the hash of the bytes `[first, last)` of a row that ends at `end`."""
    a = key
    b = ~key
    at = first
    while at + 16 <= last:  # in two lanes, neither of which waits for the other
        a = fold(a, load_whole(buffer, np.uint64(at)))
        b = fold(b, load_whole(buffer, np.uint64(at + 8)))
        at += 16
    left = np.uint64(last - at)
    a = fold(a, load(buffer, at, end) & FRONT[left + _EIGHT])
    b = fold(b, load(buffer, at + 8, end) & FRONT[left])
    return fold(a, b)


@declare("uint64(uint64, uint64)", inline=True)
def fold(word: np.uint64, eight: np.uint64) -> np.uint64:
    """Return the hash of what `word` is the hash of and of eight bytes more."""
    word ^= eight
    return (word ^ word >> _HALF) * FACTOR


@declare(
    "int64(int64[:, ::1], uint64[:, ::1], int64, int64, uint64[::1], uint32[::1], uint32[::1], int64[::1], "
    "uint32[::1], int64)"
)
def number_words(
    listed: np.ndarray,
    hashes: np.ndarray,
    count: int,
    last: int,
    vocabulary: np.ndarray,
    lengths: np.ndarray,
    table: np.ndarray,
    size: np.ndarray,
    words: np.ndarray,
    at: int,
) -> int:
    """Write the number of each word, from 0 on in the order in which they first stand; a new one gets the next.

    Args:
        listed: Where the words begin, where they end, and their characters.
        hashes: Their hashes, in the first row.
        count: How many there are.
        last: Where the word before them ends.
        vocabulary: The hashes of the words so far, from place 1 on.
        lengths: Their characters; `REPEATED` is set for one that comes again.
        table: Open addressing: the number of a word + 1 at its hash's slot; 0 is free. It grows with the words.
        size: How many words there are, and how many slots.
        words: Where to write; `SPACED` is set if whitespace stands before the word.
        at: Where in `words`.

    Returns:
        How many different words there are.
    """
    known = int64(size[0])
    slots = int64(size[1])
    mask = np.uint64(slots - 1)
    # Whether a word is new, a processor would guess wrong too often. So a new one stands behind the others already, a
    # free slot leads there, and the only branch is on other words at its slot.
    for k in range(count):
        word = hashes[0, k]
        vocabulary[known + 1] = word
        slot = word & mask
        entry = np.uint64(table[slot])
        place = entry if entry != _NONE else np.uint64(known + 1)
        while vocabulary[place] != word:
            slot = (slot + _ONE) & mask
            entry = np.uint64(table[slot])
            place = entry if entry != _NONE else np.uint64(known + 1)
        characters = listed[2, k]
        number = int64(place - _ONE)
        lengths[place - _ONE] = characters if number == known else characters | REPEATED
        table[slot] = place
        words[at + k] = number if listed[0, k] == last else number | SPACED
        last = listed[1, k]
        known += number == known
        if 4 * known > slots and 2 * slots <= len(table):
            slots *= 2
            mask = np.uint64(slots - 1)
            enter_words(vocabulary, known, table, slots)
    size[0] = known
    size[1] = slots
    return known


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
    for entry in range(1, words + 1):
        slot = vocabulary[entry] & mask
        while table[slot] != 0:
            slot = (slot + _ONE) & mask
        table[slot] = entry
    return slots
