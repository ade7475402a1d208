"""The fused pass: everything that is counted about a document, from one reading of its characters.

Each character is looked at once. What is asked of words is asked where one ends (`words`), what is asked of lines where
one ends (`lines`, `repeats`), and the n-grams (`repetition`) are made of the numbers of words. Letters and digits of
ASCII are read in runs; its other characters are counted by value, and their classes summed at the end.
"""

from __future__ import annotations

import numpy as np

from pipeline.text import measures as m
from pipeline.text.ascii_counts import add_ascii
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
    KIND,
    LETTER,
    MARK,
    NUMBER,
    PARENTHESIS,
    PLAIN,
    SPACE,
    TERMINAL,
    UNSPACED,
    code_point,
    flags_of,
)
from pipeline.text.urls import url_end, url_start
from pipeline.text.words import SPACED, clear_words, count_word, number_word

__all__ = ["WORDS_COMPARED", "measure"]

WORDS_COMPARED = 1 << 22
"""How many words are read for n-grams: the rest of a longer text is not looked at."""

ONE = np.uint64(1)
FULL = np.uint64(1 << 56)
STRAY = 0x110000
"""Added to a byte that is no part of a character: no code point is as large."""


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

    # `int64(0)` and not 0: Numba would compile the kernels below once more, for a constant.
    characters = compared_characters = int64(0)
    letters = numbers = digits = int64(0)
    ascii_letters = ascii_digits = int64(0)
    spaces = parentheses = int64(0)
    sentences = ellipses = int64(0)
    found = int64(0)  # words
    url_floor = start  # where the last URL ended
    ending = int64(0)  # 1 behind an end mark, 2 behind one that has been counted
    line = start
    line_first = int64(-1)
    line_characters = int64(0)  # before the line
    indent_characters = int64(0)
    indent = body = word_hash = key
    piece = start
    piece_first = line_first
    last = start - 1  # where the last word ended
    word = int64(-1)  # where the open word began
    packed = ONE
    word_characters = int64(0)  # before the word
    single = False  # the word is a letter of a script without spaces
    dots = hash_runs = traits = int64(0)
    hash_run = False
    i = start
    while i <= end:
        if word >= 0 and not single:  # most characters are letters and digits of ASCII
            run = i
            run_digits = 0
            while i < end:
                byte = buffer[i]
                kind = KIND[byte]
                if kind == 0:
                    break
                run_digits += kind >> 1
                packed = packed << np.uint64(8) | np.uint64(byte)
                if packed >= FULL:
                    word_hash = (word_hash ^ packed) * FACTOR
                    packed = ONE
                i += 1
            if i > run:
                run = i - run
                characters += run
                ascii_digits += run_digits
                ascii_letters += run - run_digits
                traits |= (NUMBER | PLAIN if run_digits else 0) | (LETTER | PLAIN if run > run_digits else 0)
                ending = 0
                dots = 0
                hash_run = False
        width = 1
        if i == end:
            code = int64(-1)
            flags = int64(SPACE)
        elif buffer[i] < 0x80:
            code = int64(buffer[i])
            flags = int64(ASCII[code])
        else:
            code = code_point(buffer, i, end)
            if code < 0:
                code = STRAY + int64(buffer[i])
                flags = int64(0)
            else:
                width = 2 if code < 0x800 else 3 if code < 0x10000 else 4
                flags = flags_of(code)

        if word >= 0 and (flags & (SPACE | UNSPACED) or (single and not flags & MARK)):
            # Punctuation beside a letter of a script without spaces is no word whose length says something.
            beside = flags & SPACE == 0 or word == last
            measured = not single and (traits & (LETTER | NUMBER) != 0 or not beside)
            word_characters = characters - word_characters
            count_word(buffer, word, i, word_characters, packed, traits, hash_runs, 1 if measured else 0, measures)
            word_hash = mix((word_hash ^ packed) * FACTOR)
            body = (body ^ word_hash) * FACTOR
            if found < WORDS_COMPARED:
                number = number_word(word_hash, word_characters, vocabulary, lengths, table, state)
                words[found] = number if word == last else number | SPACED
                compared_characters = characters
            found += 1
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
                indent_characters = int64(0)
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
            packed = ONE
            word_characters = characters
            traits = int64(0)
            single = flags & UNSPACED != 0
            dots = int64(0)
            hash_run = False
            hash_runs = int64(0)
            if line_first < 0:
                line_first = i
            if piece_first < 0:
                piece_first = i
            if code < 0x80 and flags & (LETTER | NUMBER):
                continue
        traits |= flags
        if code < 0x80:
            packed = packed << np.uint64(8) | np.uint64(code)
            if packed >= FULL:
                word_hash = (word_hash ^ packed) * FACTOR
                packed = ONE
            ascii_counts[code] += 1
            characters += 1
            if code == 58:
                url = url_start(buffer, url_floor, i, end)
                if url >= 0:
                    url_floor = url_end(buffer, i, end)
                    measures[m.URL_CHARACTERS] += url_floor - url
            hash_runs += 1 if code == 35 and not hash_run else 0
            hash_run = code == 35
            dots = dots + 1 if code == 46 else 0
            if dots == 3:
                ellipses += 1
                dots = 0
        else:
            word_hash = (((word_hash ^ packed) * FACTOR) ^ np.uint64(code)) * FACTOR
            packed = ONE
            if code < STRAY or code >= STRAY + 0xC0:  # stray continuation bytes are no characters
                characters += 1
            letters += 1 if flags & LETTER else 0
            numbers += 1 if flags & NUMBER else 0
            digits += 1 if flags & DIGIT else 0
            parentheses += 1 if flags & PARENTHESIS else 0
            ellipses += 1 if code == 0x2026 else 0
            hash_run = False
            dots = int64(0)
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
    measures[m.LETTERS] = letters + ascii_letters
    measures[m.NUMBERS] = numbers + ascii_digits
    measures[m.DIGITS] = digits + ascii_digits
    measures[m.SPACES] = spaces
    measures[m.PARENTHESES] = parentheses
    measures[m.KEPT_CHARACTERS] = ascii_letters + ascii_digits
    add_ascii(ascii_counts, measures)
    measures[m.WORDS] = found
    measures[m.GRAM_CHARACTERS] = characters if found <= WORDS_COMPARED else compared_characters
    count_repeated_ngrams(words, lengths, min(found, WORDS_COMPARED), key, table, grams, measures)
    return found
