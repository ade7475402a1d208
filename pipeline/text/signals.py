"""The fused pass: everything that is counted about a document, from one reading of its words.

The characters of up to 64 bytes are classified at once (`windows`); words, lines and pieces are found in the bits of
their classes. What is asked of words is asked where one ends (`words`), what is asked of lines where one ends (`lines`,
`repeats`), and the n-grams (`repetition`) are made of the numbers of words. How many characters of a class there are
needs no words: those of ASCII are counted apart (`ascii_counts`).
"""

from __future__ import annotations

import numpy as np

from pipeline.text import measures as m
from pipeline.text import windows as w
from pipeline.text.ascii_counts import count_ascii
from pipeline.text.bits import below, lowest, ones
from pipeline.text.digest import digest
from pipeline.text.kernel import declare, int64
from pipeline.text.lines import end_line, end_piece
from pipeline.text.rare import count_rare
from pipeline.text.repeats import LAST, end_block, repeat_line, start_lines
from pipeline.text.repetition import count_repeated_ngrams
from pipeline.text.windows import classify_ascii, classify_characters
from pipeline.text.word_lists import LISTED, count_characters, count_words
from pipeline.text.words import clear_words, number_words

__all__ = ["WORDS_COMPARED", "measure"]

WORDS_COMPARED = 1 << 22
"""How many words are read for n-grams: the rest of a longer text is not looked at."""

NONE = np.uint64(0)
ONE = np.uint64(1)


@declare(
    "int64(uint8[::1], int64, int64, uint32[::1], uint32[::1], uint64[::1], uint32[::1], uint32[:, ::1], uint64[::1], "
    "int64[::1], uint64[::1], uint64[::1], int64[:, ::1], uint64[:, ::1], int64[::1])"
)
def measure(
    buffer: np.ndarray,
    start: int,
    end: int,
    words: np.ndarray,
    lengths: np.ndarray,
    vocabulary: np.ndarray,
    table: np.ndarray,
    grams: np.ndarray,
    parts: np.ndarray,
    state: np.ndarray,
    folds: np.ndarray,
    window: np.ndarray,
    listed: np.ndarray,
    hashes: np.ndarray,
    measures: np.ndarray,
) -> int:
    """Measure one document, and return its number of words.

    With W the words that are compared (`WORDS_COMPARED`, or half the bytes rounded up if that is less):

    Args:
        buffer: Bytes of the column; the row is `[start, end)`.
        start: Its first byte.
        end: One past its last byte.
        words: Scratch (W): the number of every word.
        lengths: Scratch (W): the characters of the words of these numbers.
        vocabulary: Scratch (W + 1): their hashes.
        table: Scratch (`slots_for(W)`): words, then n-grams.
        grams: Scratch (4, W): repeated n-grams.
        parts: Scratch (`part_slots` of its line feeds): lines and paragraphs.
        state: Scratch (`STATE`).
        folds: Scratch (3).
        window: Scratch (`windows.WINDOW`).
        listed: Scratch (3, `LISTED` + 1): words that have not been counted.
        hashes: Scratch (2, `LISTED`): their hashes.
        measures: Where to write the `MEASURES`.
    """
    for k in range(m.MEASURES):
        measures[k] = 0
    # All hashes of a row are keyed by its digest, so that no text can be made whose words fall on the same slots.
    digest(buffer, start, end, folds)
    key = folds[0]
    start_lines(buffer, start, end, count_ascii(buffer, start, end, measures), parts, state, folds, measures)
    last_word_end = state[LAST]
    clear_words(64 + (end - start) // 32, table, state)
    for k in range(w.WINDOW):
        window[k] = NONE

    # `int64(0)` and not 0: Numba would compile the kernels below once more, for a constant.
    hidden = int64(0)  # bytes so far that begin no character: of n bytes, n - hidden are characters
    found = int64(0)  # words
    counted = int64(0)  # of them
    before = start - 1  # where the last of these ended
    last = before  # where the last word ended
    line = start
    line_first = int64(-1)  # where its first word begins, if that has been counted
    line_hidden = int64(0)  # before the line
    line_words = int64(0)
    piece = start
    piece_first = int64(-1)
    piece_words = int64(0)
    word = int64(0)  # where the open word, or the next one, begins
    i = start
    while i <= end:
        opened = np.uint64(window[w.OPEN] != NONE)
        size = classify_ascii(buffer, start, i, end, window, measures)
        if size == 0:
            size = classify_characters(buffer, i, end, window, measures)
        inside = window[w.WORDS]
        starts = window[w.STARTS]
        unseen = window[w.HIDDEN]
        breaks = window[w.BREAKS] if i < end else ONE  # the end ends a word, a line and a piece
        ends = (inside << ONE | opened) & (~inside | starts) & below(max(size, 1))
        if opened == NONE:
            word = i + lowest(starts)
            starts &= starts - ONE
        while True:
            until = breaks ^ (breaks - ONE)  # up to the next break, or all
            ending = ends & until
            ends &= ~until
            while ending != NONE:
                last = i + lowest(ending)
                ending &= ending - ONE
                listed[0, found - counted] = word
                listed[1, found - counted] = last
                found += 1
                word = i + lowest(starts)
                starts &= starts - ONE
            if breaks == NONE:
                break
            bit = lowest(breaks)
            breaks &= breaks - ONE
            stop = i + bit
            if stop == end or buffer[stop] == 10:
                if line_first < 0 and found > line_words:
                    line_first = int64(listed[0, line_words - counted])
                if 0 <= line_first < last_word_end <= stop:
                    first = line if measures[m.FILLED_LINES] > 0 else line_first
                    end_block(buffer, first, last_word_end, end, parts, state, folds, measures)
                seen = hidden + ones(unseen & below(bit))
                characters = stop - line - (seen - line_hidden)
                end_line(buffer, line_first, last, stop, characters, found - line_words, measures)
                final = 1 if stop == end else 0
                repeat_line(buffer, line, line_first, stop, end, final, characters, parts, state, folds, measures)
                line = stop + 1
                line_first = int64(-1)
                line_hidden = seen
                line_words = found
            if stop == end and piece == end:
                break
            if stop == end or not (buffer[stop] == 10 and stop > start and buffer[stop - 1] == 13):
                if piece_first < 0 and found > piece_words:
                    piece_first = int64(listed[0, piece_words - counted])
                end_piece(buffer, piece_first, last, measures)
                piece_first = int64(-1)
                piece_words = found
            if stop == end:
                break
            piece = stop + (1 if buffer[stop] < 0x80 else 2 if buffer[stop] == 0xC2 else 3)
        if i == end or found - counted > LISTED - 64:
            if line_first < 0 and found > line_words:
                line_first = int64(listed[0, line_words - counted])
            if piece_first < 0 and found > piece_words:
                piece_first = int64(listed[0, piece_words - counted])
            count = found - counted
            listed[0, count] = word if window[w.OPEN] != NONE else end + 1
            count_words(buffer, end, key, count, before, listed, hashes, measures)
            compared = min(count, WORDS_COMPARED - counted)
            if compared > 0:
                number_words(listed, hashes, compared, before, vocabulary, lengths, table, state, words, counted)
                if found >= WORDS_COMPARED:
                    stop = int64(listed[1, compared - 1])
                    measures[m.GRAM_CHARACTERS] = count_characters(buffer, start, stop)
            before = last
            counted = found
        if i == end:
            break
        hidden += ones(unseen)
        i += size

    measures[m.SENTENCES] += int64(window[w.ENDING] & ONE)
    measures[m.CHARACTERS] = end - start - hidden
    measures[m.BYTES] = end - start
    measures[m.WORDS] = found
    if found <= WORDS_COMPARED:
        measures[m.GRAM_CHARACTERS] = end - start - hidden
    count_rare(buffer, start, end, measures)
    count_repeated_ngrams(words, lengths, min(found, WORDS_COMPARED), key, table, grams, measures)
    return found
