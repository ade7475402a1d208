"""The fused pass: everything that is counted about a document, from one reading of its words.

The visible characters of ASCII are read eight at a time, every other character by itself. What is asked of words is
asked where one ends (`words`), what is asked of lines where one ends (`lines`, `repeats`), and the n-grams
(`repetition`) are made of the numbers of words. How many characters of a class there are needs no words: those of ASCII
are counted apart (`ascii_counts`).
"""

from __future__ import annotations

import numpy as np

from pipeline.text import measures as m
from pipeline.text.ascii_counts import count_ascii
from pipeline.text.digest import digest
from pipeline.text.hashing import FACTOR
from pipeline.text.kernel import declare, int64
from pipeline.text.lines import end_line, end_piece
from pipeline.text.load import EACH, HIGH, blanks_at, load
from pipeline.text.rare import count_rare
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
    PLAIN,
    SPACE,
    TERMINAL,
    UNSPACED,
    code_point,
    flags_of,
)
from pipeline.text.words import HASH, SPACED, clear_words, count_word, fold, hash_bytes, number_word

__all__ = ["WORDS_COMPARED", "measure"]

WORDS_COMPARED = 1 << 22
"""How many words are read for n-grams: the rest of a longer text is not looked at."""

STRAY = 0x110000
"""Added to a byte that is no part of a character: no code point is as large."""

NONE = np.uint64(0)
ONE = np.uint64(1)
SEVEN = np.uint64(7)
HALF = np.uint64(32)
TOP = np.uint64(56)
LOW = ~HIGH
SMALL = EACH * np.uint64(0x20)  # turns a capital letter into a small one
# Added to a byte below 128, these set its highest bit if it is at least this character.
FROM_VISIBLE = EACH * np.uint64(0x80 - 0x21)
FROM_A = EACH * np.uint64(0x80 - ord("a"))
BEHIND_Z = EACH * np.uint64(0x80 - ord("z") - 1)
FROM_0 = EACH * np.uint64(0x80 - ord("0"))
BEHIND_9 = EACH * np.uint64(0x80 - ord("9") - 1)
SHARPS = EACH * np.uint64(ord("#"))


@declare(
    "int64(uint8[::1], int64, int64, uint32[::1], uint32[::1], uint64[::1], uint32[::1], uint32[:, ::1], uint64[::1], "
    "int64[::1], uint64[::1], int64[::1])"
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
        vocabulary: Scratch (W): their hashes.
        table: Scratch (`slots_for(W)`): words, then n-grams.
        grams: Scratch (4, W): repeated n-grams.
        parts: Scratch (`part_slots` of its line feeds): lines and paragraphs.
        state: Scratch (`STATE`).
        folds: Scratch (3).
        measures: Where to write the `MEASURES`.
    """
    for k in range(m.MEASURES):
        measures[k] = 0
    # All hashes of a row are keyed by its digest, so that no text can be made whose words fall on the same slots.
    digest(buffer, start, end, folds)
    key = folds[0]
    start_lines(buffer, start, end, count_ascii(buffer, start, end, measures), parts, state, folds, measures)
    last_word_end = state[LAST]
    # As many words as there may be, or in long rows as there are mostly: the table grows.
    clear_words(64 + max((end - start) // 32, min((end - start) // 8, 4096)), table, state)

    # `int64(0)` and not 0: Numba would compile the kernels below once more, for a constant.
    hidden = int64(0)  # bytes so far that begin no character: of n bytes, n - hidden are characters
    found = int64(0)  # words
    ending = int64(0)  # 1 behind an end mark, 2 behind one that has been counted
    line = start
    line_first = int64(-1)
    line_hidden = int64(0)  # before the line
    line_words = int64(0)
    # Most lines begin with spaces, and how many, a processor would guess wrong: they are read at once.
    indent_characters = blanks_at(buffer, start, end)
    indent = spaced(key, indent_characters, int64(32)) if indent_characters else key
    body = word_hash = key
    piece = start
    piece_first = line_first
    last = start - 1  # where the last word ended
    word = int64(-1)  # where the open word began
    word_hidden = int64(0)  # before the word
    traits = int64(0)
    single = False  # the open word is a letter of a script without spaces
    whole = True  # the open word has been read at once, so that `word_hash` is that of all its bytes
    eight = NONE
    i = start + indent_characters
    while i <= end:
        if not single and i < end and 32 < buffer[np.uint64(i)] < 0x80:
            run = i
            run_hash = key
            alphabetic = digital = sharp = NONE
            stops = NONE
            while stops == NONE:
                eight = load(buffer, i, end)
                stops = (~((eight & LOW) + FROM_VISIBLE) | eight) & HIGH
                before = ((stops & (~stops + ONE)) >> SEVEN) - ONE  # all bits of the bytes before the first stop
                eight &= before
                small = eight | SMALL
                alphabetic |= (small + FROM_A) & ~(small + BEHIND_Z)
                digital |= (eight + FROM_0) & ~(eight + BEHIND_9)
                sharp |= ~((eight ^ SHARPS) + LOW)
                run_hash = fold(run_hash, eight)
                i += int64((before & EACH) * EACH >> TOP)  # as many as there are such bytes
            whole = word < 0
            if whole:
                word = run
                word_hash = run_hash
                word_hidden = hidden
                traits = int64(0)
                line_first = run if line_first < 0 else line_first
                piece_first = run if piece_first < 0 else piece_first
            traits |= LETTER | PLAIN if alphabetic & HIGH else 0
            traits |= NUMBER | PLAIN if digital & HIGH else 0
            traits |= HASH if sharp & HIGH else 0
            if ending:
                for at in range(run, i):
                    flags = int64(ASCII[buffer[at]])
                    if not flags & (TERMINAL | CLOSING):
                        ending = int64(0)
                    elif flags & TERMINAL and ending == 0:
                        ending = int64(1)
            else:  # only what the run ends with matters, mostly its last two characters
                tail = int64(ASCII[buffer[np.uint64(i - 1)]])
                before_tail = int64(ASCII[buffer[np.uint64(max(i - 2, run))]])
                ending = int64((tail | (before_tail if tail & CLOSING else 0)) & TERMINAL != 0)
                if tail & before_tail & CLOSING:
                    at = i - 1
                    while ASCII[buffer[np.uint64(at)]] & CLOSING and at > run:
                        at -= 1
                    ending = int64(1 if ASCII[buffer[np.uint64(at)]] & TERMINAL else 0)
        width = 1
        if i == end:
            code = int64(-1)
            flags = int64(SPACE)
        elif buffer[np.uint64(i)] < 0x80:
            code = int64(buffer[np.uint64(i)])
            flags = int64(ASCII[np.uint64(code)])
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
            characters = i - word - (hidden - word_hidden)
            short = eight if whole and i - word < 8 else NONE
            count_word(buffer, word, i, characters, short, traits, 1 if measured else 0, measures)
            if not whole:
                word_hash = hash_bytes(buffer, word, i, end, key)
            word_hash = (word_hash ^ np.uint64(i - word)) * FACTOR
            word_hash ^= word_hash >> HALF
            body = (body ^ word_hash) * FACTOR
            if found < WORDS_COMPARED:
                number = number_word(word_hash, characters, vocabulary, lengths, table, state)
                words[np.uint64(found)] = number if word == last else number | SPACED
                measures[m.GRAM_CHARACTERS] = i - start - hidden
            found += 1
            word = int64(-1)
            single = False
            last = i
            if i == last_word_end:
                end_block(
                    i - line - (hidden - line_hidden), indent_characters, indent, body, parts, state, folds, measures
                )

        if flags & SPACE:
            measures[m.SENTENCES] += ending & 1
            ending = int64(0)
            again = 1  # times that it stands here
            if i == end or code == 10:
                characters = i - line - (hidden - line_hidden)
                filled = end_line(buffer, line_first, last, i, characters, found - line_words, measures)
                final = 1 if i == end else 0
                repeat_line(
                    line, i, filled, final, characters, indent_characters, indent, body, parts, state, folds, measures
                )
                line = i + 1
                line_first = int64(-1)
                line_hidden = hidden
                line_words = found
                body = key
                indent_characters = blanks_at(buffer, i + 1, end)
                indent = spaced(key, indent_characters, int64(32)) if indent_characters else key
                again += indent_characters
            else:
                if code == 32 or code == 9:
                    while i + again < end and buffer[np.uint64(i + again)] == code:
                        again += 1
                if line_first < 0:
                    indent = spaced(indent, again, code)
                    indent_characters += again
                else:
                    body = spaced(body, again, code)
            if (flags & BREAK and not (code == 10 and i > start and buffer[i - 1] == 13)) or (i == end and piece < end):
                end_piece(buffer, piece_first, last, measures)
                piece_first = int64(-1)
            if flags & BREAK:
                piece = i + width
            if i == end:
                break
            measures[m.SPACES] += 1 if code >= 0x80 else 0
            hidden += width - 1
            i += again * width
            continue

        if 32 < code < 0x80:  # behind a letter of a script without spaces
            continue
        whole = False
        if word < 0:
            word = i
            word_hidden = hidden
            traits = int64(0)
            single = flags & UNSPACED != 0
            line_first = i if line_first < 0 else line_first
            piece_first = i if piece_first < 0 else piece_first
        traits |= flags
        if STRAY + 0x80 <= code < STRAY + 0xC0:  # a stray continuation byte is no character
            hidden += 1
        hidden += width - 1
        if code >= 0x80:
            measures[m.LETTERS] += 1 if flags & LETTER else 0
            measures[m.NUMBERS] += 1 if flags & NUMBER else 0
            measures[m.DIGITS] += 1 if flags & DIGIT else 0
            measures[m.PARENTHESES] += 1 if flags & PARENTHESIS else 0
            measures[m.ELLIPSES] += 1 if code == 0x2026 else 0
        if flags & TERMINAL:
            if flags & ANYWHERE and ending != 2:
                measures[m.SENTENCES] += 1
                ending = int64(2)
            elif ending == 0:
                ending = int64(1)
        elif not flags & CLOSING:
            ending = int64(0)
        i += width

    measures[m.CHARACTERS] = end - start - hidden
    measures[m.BYTES] = end - start
    measures[m.WORDS] = found
    if found <= WORDS_COMPARED:
        measures[m.GRAM_CHARACTERS] = end - start - hidden
    count_rare(buffer, start, end, measures)
    count_repeated_ngrams(words, lengths, min(found, WORDS_COMPARED), key, table, grams, measures)
    return found


@declare("uint64(uint64, int64, int64)", inline=True)
def spaced(line: np.uint64, again: int, code: int) -> np.uint64:
    """Return the hash of what `line` is the hash of and of a character of whitespace that stands `again` times."""
    return (line ^ np.uint64(again << 21 | code)) * FACTOR  # a code point has 21 bits
