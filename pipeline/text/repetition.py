"""What repeats: distinct hashes, and the most frequent word n-gram."""

from __future__ import annotations

import numpy as np

from pipeline.text.hashing import FACTOR, mix, slots_for
from pipeline.text.kernel import declare, int64

__all__ = ["count_distinct", "top_ngram_characters"]


ONCE = np.uint64(1 << 32)
TWICE = np.uint64(2 << 32)
LOW = np.uint64(0xFFFFFFFF)


@declare("int64(uint64[::1], int64, int64, uint64[::1])")
def count_distinct(hashes: np.ndarray, first: int, last: int, keys: np.ndarray) -> int:
    """Return how many different values stand in `hashes[first:last]`.

    Args:
        hashes: Well-mixed 64-bit hashes.
        first: Of the values to count.
        last: One past them.
        keys: Scratch, at least `slots_for(last - first)` long.
    """
    slots = slots_for(last - first)
    for slot in range(slots):
        keys[slot] = np.uint64(0)
    distinct = 0
    for i in range(first, last):
        key = hashes[i] if hashes[i] != np.uint64(0) else np.uint64(1)  # 0 marks a free slot
        slot = int64(key & np.uint64(slots - 1))
        while keys[slot] != np.uint64(0) and keys[slot] != key:
            slot = (slot + 1) & (slots - 1)
        if keys[slot] == np.uint64(0):
            keys[slot] = key
            distinct += 1
    return distinct


@declare("int64(uint64[::1], int64[::1], int64, int64, uint64[::1], uint64[::1])")
def top_ngram_characters(
    hashes: np.ndarray,
    lengths: np.ndarray,
    words: int,
    size: int,
    keys: np.ndarray,
    tallies: np.ndarray,
) -> int:
    """Return the number of characters that the most frequent n-gram of `size` words takes.

    The most frequent one (occurrences may overlap while they are counted; of equally frequent ones the one with the
    most characters, then the earliest) × its occurrences that do not overlap, found from the left. Its characters are
    those of its words joined by single spaces, so that the result never exceeds the characters of the text. 0 if no
    n-gram comes twice: nothing repeats, however short the text.

    Where words are parted by single spaces this is NeMo Curator's number, `len(t) - len(t.replace(ngram, ""))`, with
    the tie broken by a rule instead of by the order of a set, and with whole words only. It equals datatrove's where
    the occurrences do not overlap (whose number can exceed the text).

    Args:
        hashes: Of the words, `words` long.
        lengths: Characters of each word.
        words: How many words.
        size: Of the n-gram, in words.
        keys: Scratch, at least `slots_for(words)` long, as are
        tallies: how often each n-gram comes (upper 32 bits) and the word at which it first begins (lower 32).
    """
    grams = words - size + 1
    if grams < 2:
        return 0
    slots = slots_for(grams)
    for slot in range(slots):
        keys[slot] = np.uint64(0)
    for i in range(grams):
        key = hash_ngram(hashes, i, size)
        slot = int64(key & np.uint64(slots - 1))
        while keys[slot] != np.uint64(0) and keys[slot] != key:
            slot = (slot + 1) & (slots - 1)
        if keys[slot] == key:
            tallies[slot] += ONCE
        else:
            keys[slot] = key
            tallies[slot] = ONCE | np.uint64(i)
    most = 1
    longest = 0
    earliest = 0
    top = -1
    for slot in range(slots):
        if keys[slot] == np.uint64(0) or tallies[slot] < TWICE:
            continue
        count = int64(tallies[slot] >> np.uint64(32))
        if count < most:
            continue
        first = int64(tallies[slot] & LOW)
        length = size - 1
        for k in range(first, first + size):
            length += lengths[k]
        if count > most or length > longest or (length == longest and first < earliest):
            most = count
            longest = length
            earliest = first
            top = slot
    if top < 0:
        return 0
    taken = 0
    i = earliest
    while i < grams:
        if hash_ngram(hashes, i, size) == keys[top]:
            taken += longest
            i += size
        else:
            i += 1
    return taken


@declare("uint64(uint64[::1], int64, int64)")
def hash_ngram(hashes: np.ndarray, first: int, size: int) -> np.uint64:
    """Return the hash, never 0, of `size` words from `first` on."""
    value = hashes[first]
    for k in range(first + 1, first + size):
        value = value * FACTOR + hashes[k]
    value = mix(value)
    return value if value != np.uint64(0) else np.uint64(1)
