"""N-grams of words that come twice: where they stand, and a number for each.

An n-gram comes twice only if the n − 1 words that it begins with do, and those that it ends with. So the repeated
2-grams are found among all places, and then, for n = 3, 4, …, the repeated n-grams among the places where an
(n − 1)-gram repeats and at the next place too. An n-gram is the pair of its two (n − 1)-grams, whose numbers stand for
them exactly: only words are known by hashes. Few places of ordinary prose are left after n = 3.
"""

from __future__ import annotations

import numpy as np

from pipeline.text.hashing import mix
from pipeline.text.kernel import declare, int64
from pipeline.text.words import NUMBER_OF, REPEATED

__all__ = ["gram_slots", "keep_places", "keep_repeated", "pair_grams", "pair_words"]


@declare("int64(int64)")
def gram_slots(items: int) -> int:
    """Return the size of a table for `items` n-grams: a power of two, at most three quarters full."""
    slots = 4
    while 3 * slots < 4 * items:
        slots *= 2
    return slots


@declare("int64(uint32[::1], uint32[::1], int64, uint64, uint32[::1], uint32[::1])")
def pair_words(
    words: np.ndarray, lengths: np.ndarray, count: int, key: np.uint64, table: np.ndarray, numbers: np.ndarray
) -> int:
    """Write the number of the 2-gram at every place, from 1; 0 where it comes once. Return how many there are.

    Args:
        words: As of `count_repeated_ngrams`.
        lengths: As of `count_repeated_ngrams`.
        count: How many words.
        key: Of the hashes.
        table: Scratch: the first place of a 2-gram + 1 at its slot; 0 is free.
        numbers: Where to write, `count` values.
    """
    pairs = int64(0)
    last = False
    for k in range(count):
        numbers[k] = 0
        again = int64(lengths[int64(words[k]) & NUMBER_OF]) & REPEATED != 0
        pairs += 1 if last and again else 0
        last = again
    slots = gram_slots(pairs)
    for slot in range(slots):
        table[slot] = 0
    found = 0
    for k in range(count - 1):
        a = int64(words[k]) & NUMBER_OF
        b = int64(words[k + 1]) & NUMBER_OF
        if int64(lengths[a]) & REPEATED == 0 or int64(lengths[b]) & REPEATED == 0:
            continue
        slot = int64(mix((np.uint64(a) << np.uint64(32) | np.uint64(b)) ^ key) & np.uint64(slots - 1))
        while table[slot] != 0:
            first = int64(table[slot]) - 1
            if int64(words[first]) & NUMBER_OF == a and int64(words[first + 1]) & NUMBER_OF == b:
                if numbers[first] == 0:
                    found += 1
                    numbers[first] = found
                numbers[k] = numbers[first]
                break
            slot = (slot + 1) & (slots - 1)
        if table[slot] == 0:
            table[slot] = k + 1
    return found


@declare("int64(uint32[::1], uint32[::1], int64, uint64, uint32[::1], uint32[::1])")
def pair_grams(
    numbers: np.ndarray, places: np.ndarray, left: int, key: np.uint64, table: np.ndarray, longer: np.ndarray
) -> int:
    """Write the number of the (n + 1)-gram at every place where an n-gram repeats; 0 where it comes once.

    Args:
        numbers: Of the n-grams.
        places: Where they stand, ascending.
        left: How many places.
        key: Of the hashes.
        table: Scratch.
        longer: Where to write, `left` values.

    Returns:
        How many different (n + 1)-grams come twice.
    """
    pairs = int64(0)
    for k in range(left):
        longer[k] = 0
        if k + 1 < left and places[k + 1] == places[k] + 1:
            pairs += 1
    slots = gram_slots(pairs)
    for slot in range(slots):
        table[slot] = 0
    found = 0
    for k in range(left - 1):
        if places[k + 1] != places[k] + 1:
            continue
        a = numbers[k]
        b = numbers[k + 1]
        slot = int64(mix((np.uint64(a) << np.uint64(32) | np.uint64(b)) ^ key) & np.uint64(slots - 1))
        while table[slot] != 0:
            first = int64(table[slot]) - 1
            if numbers[first] == a and numbers[first + 1] == b:
                if longer[first] == 0:
                    found += 1
                    longer[first] = found
                longer[k] = longer[first]
                break
            slot = (slot + 1) & (slots - 1)
        if table[slot] == 0:
            table[slot] = k + 1
    return found


@declare("int64(uint32[::1], uint32[::1], int64)")
def keep_places(numbers: np.ndarray, places: np.ndarray, count: int) -> int:
    """List the places of repeated 2-grams: move their numbers to the front, and return how many there are.

    Args:
        numbers: From `pair_words`.
        places: Where to list the places.
        count: How many words.
    """
    left = 0
    for k in range(count):
        if numbers[k] != 0:
            numbers[left] = numbers[k]
            places[left] = k
            left += 1
    return left


@declare("int64(uint32[::1], uint32[::1], uint32[::1], int64)")
def keep_repeated(longer: np.ndarray, numbers: np.ndarray, places: np.ndarray, left: int) -> int:
    """Keep the places of repeated (n + 1)-grams, and return how many there are.

    Args:
        longer: From `pair_grams`.
        numbers: Where their numbers go.
        places: The places.
        left: How many there were.
    """
    kept = 0
    for k in range(left):
        if longer[k] != 0:
            numbers[kept] = longer[k]
            places[kept] = places[k]
            kept += 1
    return kept
