"""The fused pass: everything that is counted about a document, from one reading of its characters.

Each character is looked at once. What is asked of words is asked where one ends (`words`), what is asked of lines where
one ends (`lines`, `repeats`), and the n-grams (`repetition`) are made of the numbers of words. ASCII characters are
counted by value, and their classes summed at the end.
"""

from __future__ import annotations

import numpy as np

from pipeline.text import measures as m
from pipeline.text.digest import digest
from pipeline.text.hashing import FACTOR, mix
from pipeline.text.kernel import declare, int64
from pipeline.text.lines import end_line, end_piece
from pipeline.text.repeats import LAST, end_block, repeat_line, start_lines
from pipeline.text.repetition import count_repeated_ngrams
from pipeline.text.unicode_classes import (
    ANYWHERE,
    ASCII,
    BREAK,
    CLOSING,
    DIGIT,
    LETTER,
    MARK,
    NUMBER,
    PARENTHESIS,
    SPACE,
    TERMINAL,
    UNSPACED,
    code_point,
    flags_of,
)
from pipeline.text.urls import count_url_characters
from pipeline.text.words import SPACED, clear_words, count_word, number_word

__all__ = ["WORDS_COMPARED", "measure"]

WORDS_COMPARED = 1 << 22
"""How many words are read for n-grams: the rest of a longer text is not looked at."""


@declare(
    "int64(uint8[::1], int64, int64, int64[::1], uint32[:, ::1], uint64[::1], uint32[::1], uint64[::1], int64[::1], "
    "uint64[::1], int64[::1])"
)
def measure(
    buffer: np.ndarray,
    start: int,
    end: int,
    ascii_counts: np.ndarray,
    grams: np.ndarray,
    vocabulary: np.ndarray,
    table: np.ndarray,
    parts: np.ndarray,
    state: np.ndarray,
    folds: np.ndarray,
    measures: np.ndarray,
) -> int:
    """Measure one document, and return its number of words.

    With W the words that are compared (`WORDS_COMPARED`, or half the bytes rounded up if that is less):

    Args:
        buffer: Bytes of the column; the row is `[start, end)`.
        start: Its first byte.
        end: One past its last byte.
        ascii_counts: Scratch (128).
        grams: Scratch (5, W).
        vocabulary: Scratch (W).
        table: Scratch (`slots_for(W)`): words, then n-grams.
        parts: Scratch (`part_slots` of its line feeds): lines and paragraphs.
        state: Scratch (`STATE`).
        folds: Scratch (3).
        measures: Where to write the `MEASURES`.
    """
    for k in range(m.MEASURES):
        measures[k] = 0
    for k in range(128):
        ascii_counts[k] = 0
    # All hashes of a row are keyed by its digest, so that no text can be made whose words fall on the same slots.
    digest(buffer, start, end, folds)
    key = folds[0]
    breaks = start_lines(buffer, start, end, parts, state, folds, measures)
    clear_words((end - start) // 32, table, state)
    words = grams[3]
    lengths = grams[4]

    characters = 0
    letters = 0
    numbers = 0
    digits = 0
    spaces = 0
    parentheses = 0
    sentences = 0
    ellipses = 0
    ending = 0  # 1 behind an end mark, 2 behind one that has been counted
    line = start
    line_first = int64(-1)
    line_characters = 0  # before the line
    indent_characters = 0
    indent = key
    body = key
    piece = start
    piece_first = int64(-1)
    last = start - 1  # where the last word ended
    word = int64(-1)  # where the open word began
    word_hash = key
    word_characters = 0  # before the word
    traits = 0
    single = False  # the word is a letter of a script without spaces
    dots = 0
    hash_run = False
    hash_runs = 0
    i = start
    while i <= end:
        width = 1
        if i < end:
            code = int64(buffer[i])
            if code < 0x80:
                flags = int64(ASCII[code])
                if word >= 0 and not single and flags & (LETTER | NUMBER):  # most characters
                    ascii_counts[code] += 1
                    characters += 1
                    word_hash = (word_hash ^ np.uint64(code)) * FACTOR
                    traits |= flags
                    ending = 0
                    dots = 0
                    hash_run = False
                    i += 1
                    continue
            else:
                byte = code
                code = code_point(buffer, i, end)
                if code < 0:
                    code = 0x110000 + byte
                    flags = 0
                else:
                    width = 2 if code < 0x800 else 3 if code < 0x10000 else 4
                    flags = flags_of(code)
        else:
            code = int64(-1)
            flags = int64(SPACE)

        if word >= 0 and (flags & (SPACE | UNSPACED) or (single and not flags & MARK)):
            # Punctuation beside a letter of a script without spaces is no word whose length says something.
            beside = flags & SPACE == 0 or word == last
            measured = not single and (traits & (LETTER | NUMBER) != 0 or not beside)
            word_characters = characters - word_characters
            found = count_word(buffer, word, i, word_characters, traits, hash_runs, 1 if measured else 0, measures)
            word_hash = mix(word_hash)
            body = (body ^ word_hash) * FACTOR
            if found <= WORDS_COMPARED:
                number = number_word(word_hash, word_characters, vocabulary, lengths, table, state)
                words[found - 1] = number if word == last else number | SPACED
                measures[m.GRAM_CHARACTERS] = characters
            word = int64(-1)
            last = i
            if i == state[LAST]:
                end_block(characters - line_characters, indent_characters, indent, body, parts, state, folds, measures)

        if flags & SPACE:
            if ending == 1:
                sentences += 1
            ending = 0
            if i == end or code == 10:
                line_characters = characters - line_characters
                filled = end_line(buffer, line_first, last, i, line_characters, measures)
                repeat_line(
                    line,
                    i,
                    filled,
                    1 if i == end else 0,
                    line_characters,
                    indent_characters,
                    indent,
                    body,
                    parts,
                    state,
                    folds,
                    measures,
                )
                line = i + 1
                line_first = int64(-1)
                line_characters = characters + 1
                indent_characters = 0
                indent = key
                body = key
            elif line_first < 0:
                indent = (indent ^ np.uint64(code)) * FACTOR
                indent_characters += 1
            else:
                body = (body ^ np.uint64(code)) * FACTOR
            if (flags & BREAK and not (code == 10 and i > start and buffer[i - 1] == 13)) or (i == end and piece < end):
                end_piece(buffer, piece_first, last, measures)
                piece_first = int64(-1)
            if flags & BREAK:
                piece = i + width
            if i == end:
                break
            characters += 1
            if code < 0x80:
                ascii_counts[code] += 1
            else:
                spaces += 1
            i += width
            continue

        if word < 0:
            word = i
            word_hash = key
            word_characters = characters
            traits = 0
            single = flags & UNSPACED != 0
            dots = 0
            hash_run = False
            hash_runs = 0
            if line_first < 0:
                line_first = i
            if piece_first < 0:
                piece_first = i
        word_hash = (word_hash ^ np.uint64(code)) * FACTOR
        traits |= flags
        if code < 0x80:
            ascii_counts[code] += 1
            characters += 1
            hash_runs += 1 if code == 35 and not hash_run else 0
            hash_run = code == 35
            dots = dots + 1 if code == 46 else 0
            if dots == 3:
                ellipses += 1
                dots = 0
        else:
            if code < 0x110000 or code >= 0x1100C0:  # not a stray continuation byte
                characters += 1
            letters += 1 if flags & LETTER else 0
            numbers += 1 if flags & NUMBER else 0
            digits += 1 if flags & DIGIT else 0
            parentheses += 1 if flags & PARENTHESIS else 0
            ellipses += 1 if code == 0x2026 else 0
            hash_run = False
            dots = 0
        if flags & TERMINAL:
            if flags & ANYWHERE and ending != 2:
                sentences += 1
                ending = 2
            elif ending == 0:
                ending = 1
        elif not flags & CLOSING:
            ending = 0
        i += width

    measures[m.CHARACTERS] = characters
    measures[m.BYTES] = end - start
    measures[m.BREAKS] = breaks
    measures[m.SENTENCES] = sentences
    measures[m.HASHES] = ascii_counts[35]
    measures[m.ELLIPSES] = ellipses
    measures[m.LETTERS] = letters
    measures[m.NUMBERS] = numbers
    measures[m.DIGITS] = digits
    measures[m.SPACES] = spaces
    measures[m.PARENTHESES] = parentheses
    add_ascii(ascii_counts, measures)
    measures[m.URL_CHARACTERS] = count_url_characters(buffer, start, end)
    compared = min(measures[m.WORDS], WORDS_COMPARED)
    if compared == measures[m.WORDS]:
        measures[m.GRAM_CHARACTERS] = characters
    count_repeated_ngrams(words, lengths, compared, key, table, grams, measures)
    return int64(measures[m.WORDS])


@declare("int64(int64[::1], int64[::1])")
def add_ascii(counts: np.ndarray, measures: np.ndarray) -> int:
    """Add the characters of each class, from how often each ASCII character comes; return how many there are."""
    every = 0
    for code in range(128):
        count = counts[code]
        flags = int64(ASCII[code])
        every += count
        measures[m.LETTERS] += count if flags & LETTER else 0
        measures[m.NUMBERS] += count if flags & NUMBER else 0
        measures[m.DIGITS] += count if flags & DIGIT else 0
        measures[m.SPACES] += count if flags & SPACE else 0
        measures[m.PARENTHESES] += count if flags & PARENTHESIS else 0
        # NeMo Curator's class is [a-zA-Z0-9\n?!,.]
        kept = flags & (LETTER | NUMBER) or code == 10 or code == 63 or code == 33 or code == 44 or code == 46
        measures[m.KEPT_CHARACTERS] += count if kept else 0
    return every
