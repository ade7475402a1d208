"""How much of a text is word n-grams that come more than once: the most frequent of 2, 3, 4 words, all of 5 … 10."""

from __future__ import annotations

import numpy as np

from pipeline.text.kernel import declare, int64
from pipeline.text.measures import AGAIN_GRAM, GREEDY_GRAM, OVERLAPPING_GRAM, TOP_GRAM
from pipeline.text.ngrams import lengthen, repeated_words
from pipeline.text.words import NUMBER_OF, SPACED

__all__ = ["count_repeated_ngrams"]

BEFORE = 1  # the n-gram came before
TAKEN = 2  # and it was not part of a repeat that was counted


@declare("int64(uint32[::1], uint32[::1], int64, uint64, uint32[::1], uint32[:, ::1], int64[::1])")
def count_repeated_ngrams(
    words: np.ndarray,
    lengths: np.ndarray,
    count: int,
    key: np.uint64,
    table: np.ndarray,
    grams: np.ndarray,
    measures: np.ndarray,
) -> int:
    """Count the characters of repeated n-grams, n = 2 … 10, into `measures`.

    Args:
        words: The number of every word; `SPACED` is set if whitespace stands before it.
        lengths: Characters of the words of these numbers; `REPEATED` is set if one comes twice.
        count: How many words.
        key: Of the hashes.
        table: Scratch, `slots_for(count)` long.
        grams: Scratch (4, count).
        measures: What is counted.

    Returns:
        At how many places a 10-gram stands that comes twice.
    """
    numbers = grams[0]  # of the repeated n-grams
    places = grams[1]  # where they stand
    pairs = grams[2]
    marks = grams[3]
    left = repeated_words(words, lengths, count, numbers, places)
    for size in range(2, 11):
        if left > 0:
            left = lengthen(numbers, places, left, key, table, pairs, marks)
        if size <= 4:
            count_top(words, lengths, count, size, numbers, places, marks, left, measures)
        elif left > 0:
            count_again(words, lengths, size, numbers, places, marks, left, measures)
    return left


@declare("int64(uint32[::1], uint32[::1], int64, int64, uint32[::1], uint32[::1], uint32[::1], int64, int64[::1])")
def count_top(
    words: np.ndarray,
    lengths: np.ndarray,
    count: int,
    size: int,
    numbers: np.ndarray,
    places: np.ndarray,
    times: np.ndarray,
    left: int,
    measures: np.ndarray,
) -> int:
    """Count the characters of the most frequent n-gram, and return how often it comes.

    Two measures: without overlap, of equally frequent ones the longest, then the first (0 if none comes twice); and
    with overlap, of equally frequent ones the first. An occurrence has the characters of its words and a space between
    two where whitespace stands there.

    Args:
        words: As of `count_repeated_ngrams`.
        lengths: As of `count_repeated_ngrams`.
        count: How many words.
        size: n.
        numbers: Of the repeated n-grams.
        places: Where they stand, ascending.
        times: Scratch: how often each comes.
        left: How many places.
        measures: What is counted.
    """
    for number in range(left):  # there are at most half as many numbers as places
        times[number] = 0
    for k in range(left):
        times[numbers[k]] += 1
    most = 1
    longest = 0
    long = 0  # no n-gram has this number
    first = 0
    for k in range(left):
        number = int64(numbers[k])
        found = int64(times[number])
        times[number] = 0  # an n-gram is looked at where it first stands
        if found < most or found == 0:
            continue
        characters = gram_characters(words, lengths, int64(places[k]), size)
        if found > most:
            first = number
        if found > most or characters > longest:
            long = number
            longest = characters
        most = found
    if first == 0:
        if count >= size:
            measures[OVERLAPPING_GRAM + size] = gram_characters(words, lengths, int64(0), size)
        return 1 if count >= size else 0
    free = int64(0)
    for k in range(left):
        place = int64(places[k])
        if numbers[k] == first:
            measures[OVERLAPPING_GRAM + size] += gram_characters(words, lengths, place, size)
        if numbers[k] == long and place >= free:
            measures[TOP_GRAM + size] += gram_characters(words, lengths, place, size)
            free = place + size
    return most


@declare("int64(uint32[::1], uint32[::1], int64, uint32[::1], uint32[::1], uint32[::1], int64, int64[::1])")
def count_again(
    words: np.ndarray,
    lengths: np.ndarray,
    size: int,
    numbers: np.ndarray,
    places: np.ndarray,
    marks: np.ndarray,
    left: int,
    measures: np.ndarray,
) -> int:
    """Count the characters of n-grams that came before, and return how many places are such.

    Two measures: the words in any of them, each once, with the spaces between them (NeMo Curator's); and those that are
    found from the left without overlap, without spaces (datatrove's, for which an n-gram inside a repeat that it
    counted did not come before).

    Args:
        words: As of `count_repeated_ngrams`.
        lengths: As of `count_repeated_ngrams`.
        size: n.
        numbers: Of the repeated n-grams.
        places: Where they stand, ascending.
        marks: Scratch: `BEFORE` and `TAKEN` of each.
        left: How many places.
        measures: What is counted.
    """
    for number in range(left):
        marks[number] = 0
    again = 0
    counted = int64(0)  # the words before have been counted
    free = int64(0)  # where the next repeat may begin
    for k in range(left):
        number = numbers[k]
        place = int64(places[k])
        mark = int64(marks[number])
        if mark & BEFORE:
            again += 1
            for word in range(max(place, counted), place + size):
                measures[AGAIN_GRAM + size] += int64(lengths[int64(words[word]) & NUMBER_OF]) & NUMBER_OF
                if word > place and int64(words[word]) & SPACED:
                    measures[AGAIN_GRAM + size] += 1
            counted = place + size
        mark |= BEFORE
        if place >= free:
            if mark & TAKEN:
                for word in range(place, place + size):
                    measures[GREEDY_GRAM + size] += int64(lengths[int64(words[word]) & NUMBER_OF]) & NUMBER_OF
                free = place + size
            mark |= TAKEN
        marks[number] = mark
    return again


@declare("int64(uint32[::1], uint32[::1], int64, int64)")
def gram_characters(words: np.ndarray, lengths: np.ndarray, place: int, size: int) -> int:
    """Return the characters of `size` words from `place` on, with a space between two that whitespace parts."""
    characters = 0
    for word in range(place, place + size):
        characters += int64(lengths[int64(words[word]) & NUMBER_OF]) & NUMBER_OF
        if word > place and int64(words[word]) & SPACED:
            characters += 1
    return characters
