"""N-grams of words that come twice: where they stand, and a number for each.

An n-gram comes twice only if the n − 1 words that it begins with do, and those that it ends with. So for n = 2, 3, …
the repeated n-grams are found among the places where an (n − 1)-gram repeats and at the next place too; the first are
those where a word does. An n-gram is the pair of its two (n − 1)-grams, whose numbers stand for them exactly: only
words are known by hashes. Few places of ordinary prose are left after n = 3.
"""

from __future__ import annotations

import numpy as np

from pipeline.text.kernel import declare, int64
from pipeline.text.words import NUMBER_OF, REPEATED

__all__ = ["lengthen", "repeated_words"]

_ONE = np.uint64(1)


@declare("int64(uint32[::1], uint32[::1], int64, uint32[::1], uint32[::1])")
def repeated_words(words: np.ndarray, lengths: np.ndarray, count: int, numbers: np.ndarray, places: np.ndarray) -> int:
    """List the words that come twice: their numbers from 1, and where they stand. Return how many places.

    Args:
        words: As of `count_repeated_ngrams`.
        lengths: As of `count_repeated_ngrams`.
        count: How many words.
        numbers: Where to write, `count` values.
        places: The same.
    """
    left = 0
    for k in range(count):
        number = int64(words[k]) & NUMBER_OF
        numbers[left] = number + 1
        places[left] = k
        left += int64(lengths[number]) & REPEATED != 0
    return left


@declare("int64(uint32[::1], uint32[::1], int64, uint64, uint32[::1], uint32[::1], uint32[::1])")
def lengthen(
    numbers: np.ndarray,
    places: np.ndarray,
    left: int,
    key: np.uint64,
    table: np.ndarray,
    pairs: np.ndarray,
    longer: np.ndarray,
) -> int:
    """Put the repeated (n + 1)-grams in the place of the repeated n-grams; return at how many places they stand.

    Args:
        numbers: Of the n-grams, from 1.
        places: Where they stand, ascending.
        left: How many places.
        key: Of the hashes, which are multiplicative (Dietzfelbinger et al., J. Algorithms 25, 1997): pairs are the less
            alike for whoever does not know it.
        table: Scratch: where the first of equal pairs stands in `numbers`, + 1, at its slot; 0 is free. It has
            `slots_for(left)` values.
        pairs: Scratch, `left` values: which n-grams have the next one right behind them.
        longer: Scratch, `left` values: the numbers of the (n + 1)-grams that begin with these; 0 for one that comes
            once.
    """
    count = 0
    for k in range(left - 1):
        pairs[count] = k
        longer[k] = 0
        count += places[k + 1] == places[k] + 1
    bits = 2
    while 1 << bits < 4 * count and 2 << bits <= len(table):
        bits += 1
    for free in range(1 << bits):
        table[free] = 0
    factor = key | np.uint64(1)
    shift = np.uint64(64 - bits)
    mask = np.uint64((1 << bits) - 1)
    found = 0
    # Whether a pair came before, a processor would guess wrong too often: the only branch is on pairs that differ.
    for j in range(count):
        at = np.uint64(pairs[j])
        a = numbers[at]
        b = numbers[at + _ONE]
        slot = (np.uint64(a) << np.uint64(32) | np.uint64(b)) * factor >> shift
        entry = np.uint64(table[slot])
        first = entry - _ONE if entry else at  # at a free slot the pair is the first of its like
        while (numbers[first] ^ a) | (numbers[first + _ONE] ^ b):
            slot = (slot + _ONE) & mask
            entry = np.uint64(table[slot])
            first = entry - _ONE if entry else at
        table[slot] = first + _ONE
        number = int64(longer[first])
        again = (first != at) & (number == 0)
        found += again
        number = found if again else number
        longer[first] = number
        longer[at] = number
    kept = 0
    for j in range(count):
        at = np.uint64(pairs[j])
        numbers[kept] = longer[at]
        places[kept] = places[at]
        kept += longer[at] != 0
    return kept
