"""What is asked of words, of many one after another: their lengths and marks, their hashes, which are stop words."""

from __future__ import annotations

import numpy as np

from pipeline.text import measures as m
from pipeline.text.bits import below
from pipeline.text.kernel import declare, int64
from pipeline.text.load import EACH, HIGH, load
from pipeline.text.words import count_odd_word, fold, hash_bytes, stop_word

__all__ = ["LISTED", "count_words"]

LISTED = 256
"""Words that are looked at together."""

HALF = np.uint64(32)
NONE = np.uint64(0)
ALL = ~NONE
LOW = ~HIGH
SMALL = EACH * np.uint64(0x20)  # turns a capital letter into a small one
# Added to a byte below 128, these set its highest bit if it is at least this character.
FROM_A = EACH * np.uint64(0x80 - ord("a"))
BEHIND_Z = EACH * np.uint64(0x80 - ord("z") - 1)
FROM_0 = EACH * np.uint64(0x80 - ord("0"))
BEHIND_9 = EACH * np.uint64(0x80 - ord("9") - 1)
SHARP = EACH * np.uint64(ord("#"))
DOTS, ROUND, SQUARE = (np.uint64(int.from_bytes(mark, "little")) for mark in (b"...", b"(...)", b"[...]"))
BESIDE = 1 << 62
"""Set in the size of a word that has no whitespace on one of its sides."""


@declare("int64(uint8[::1], int64, uint64, int64, int64, int64[:, ::1], uint64[:, ::1], int64[::1])")
def count_words(
    buffer: np.ndarray,
    end: int,
    key: np.uint64,
    count: int,
    last: int,
    listed: np.ndarray,
    hashes: np.ndarray,
    measures: np.ndarray,
) -> int:
    """Count words by their marks, and write their characters and their hashes.

    Most words have at most sixteen bytes, all of ASCII. They are counted many at once, in a loop without branches that
    becomes vector instructions; all others one by one.

    Args:
        buffer: Bytes of the column; the row ends at `end`.
        end: One past the row's last byte.
        key: Of the hashes.
        count: How many words.
        last: Where the word before them ends.
        listed: Where they begin, where they end, and where to write their characters. What follows on the last one
            begins at place `count`.
        hashes: Where to write the hashes; scratch.
        measures: What is counted.

    Returns:
        How many were not counted at once.
    """
    before = last
    for k in range(count):
        first = listed[0, k]
        stop = listed[1, k]
        beside = int64(first == last) | int64(stop == listed[0, k + 1])
        listed[2, k] = stop - first | beside << 62
        hashes[0, k] = load(buffer, first, end)
        hashes[1, k] = load(buffer, first + 8, end)
        last = stop
    longest = int64(measures[m.LONGEST_WORD])
    stops = stop_set = unalphabetic = bares = bare_characters = symbols = others = int64(0)
    for k in range(count):
        beside = listed[2, k] >> 62
        size = listed[2, k] & (BESIDE - 1)
        bits = np.uint64(4 * (8 - min(size, 8)))
        eight = hashes[0, k] & ALL >> bits >> bits
        bits = np.uint64(4 * (8 - min(max(size - 8, 0), 8)))
        more = hashes[1, k] & ALL >> bits >> bits
        letters = with_letter(eight) | with_letter(more)
        wordless = int64(letters == NONE)
        bare = int64(letters | with_digit(eight) | with_digit(more) == NONE)
        other = ~(((eight ^ SHARP) + LOW) & ((more ^ SHARP) + LOW)) | eight | more
        other = other & HIGH | np.uint64(size > 16) | np.uint64(bare & beside)
        plain = int64(other == NONE)
        five = np.uint64(size ^ 5)
        dots = int64((eight ^ DOTS) | np.uint64(size ^ 3) == NONE)
        dots += int64((eight ^ ROUND) | five == NONE) + int64((eight ^ SQUARE) | five == NONE)
        which = stop_word(eight, size)
        word = fold(fold(key ^ np.uint64(size), eight), more)
        longest = max(longest, size * plain)
        stops += int64(which != 0)
        stop_set |= which
        unalphabetic += wordless & plain
        bares += bare & plain
        bare_characters += size * (bare & plain)
        symbols += dots & plain
        others += 1 - plain
        hashes[0, k] = word ^ word >> HALF
        hashes[1, k] = other
        listed[2, k] = size
    measures[m.LONGEST_WORD] = longest
    measures[m.STOP_WORDS] += stops
    measures[m.STOP_WORD_SET] |= stop_set
    measures[m.UNALPHABETIC_WORDS] += unalphabetic
    measures[m.BARE_WORDS] += bares
    measures[m.UNMEASURED_OR_BARE_WORDS] += bares
    measures[m.UNMEASURED_OR_BARE_CHARACTERS] += bare_characters
    measures[m.SYMBOL_WORDS] += symbols
    if others:
        for k in range(count):
            if hashes[1, k] != NONE:
                first = listed[0, k]
                stop = listed[1, k]
                beside = int64(k > 0 and listed[1, k - 1] == first) | int64(stop == listed[0, k + 1])
                if k == 0 and first == before:
                    beside = int64(1)
                if stop - first > 16:
                    hashes[0, k] = hash_bytes(buffer, first, stop, end, key ^ np.uint64(stop - first))
                listed[2, k] = count_other_word(buffer, first, stop, end, beside, measures)
    return others


@declare("int64(uint8[::1], int64, int64, int64, int64, int64[::1])")
def count_other_word(buffer: np.ndarray, first: int, last: int, end: int, beside: int, measures: np.ndarray) -> int:
    """Count a word that is long, holds a `#` or something beyond ASCII, or is punctuation beside another word.

    Args:
        buffer: Bytes of the column; the word is `[first, last)`.
        first: Its first byte.
        last: One past its last byte.
        end: One past the row's last byte.
        beside: 1 if no whitespace stands between it and the word before it, or the one behind it.
        measures: What is counted.

    Returns:
        Its characters.
    """
    letters = other = NONE
    at = first
    while at < last:
        eight = load(buffer, at, end)
        if last - at < 8:
            eight &= below(8 * (last - at))
        letters |= with_letter(eight)
        other |= ~((eight ^ SHARP) + LOW) | eight
        at += 8
    characters = last - first
    measured = int64(1)
    if other & HIGH != NONE or letters == NONE:
        characters = count_characters(buffer, first, last)
        measured = count_odd_word(buffer, first, last, characters, beside, measures)
    measures[m.LONGEST_WORD] = max(measures[m.LONGEST_WORD], characters * measured)
    return characters


@declare("uint64(uint64)", inline=True)
def with_letter(eight: np.uint64) -> np.uint64:
    """Return `HIGH` of every byte that is a letter of ASCII."""
    small = eight & LOW | SMALL
    return (small + FROM_A) & ~(small + BEHIND_Z) & ~eight & HIGH


@declare("uint64(uint64)", inline=True)
def with_digit(eight: np.uint64) -> np.uint64:
    """Return `HIGH` of every byte that is a digit of ASCII."""
    low = eight & LOW
    return (low + FROM_0) & ~(low + BEHIND_9) & ~eight & HIGH


@declare("int64(uint8[::1], int64, int64)")
def count_characters(buffer: np.ndarray, first: int, last: int) -> int:
    """Return how many characters begin in `[first, last)`."""
    characters = 0
    for k in range(first, last):
        characters += buffer[np.uint64(k)] & 0xC0 != 0x80
    return characters
