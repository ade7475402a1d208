"""The numbers about a document."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from pipeline.text.ascii_counts import BLOCK
from pipeline.text.hashing import slots_for
from pipeline.text.measures import MEASURES
from pipeline.text.repeats import STATE, part_slots
from pipeline.text.unicode_classes import LETTER, PLAIN
from pipeline.text.words import HASH
from tests.text.cases.rows import ROWS, TEXT, as_bytes, as_row, as_rows

__all__ = ["cases"]

MARKED = "… [...] -» Read More\n\n• a#\r\n\r\n● 漢字。「はい」\n\n\n\n กา 9 ... the\x1d# ## of the of the of.".encode()
GRAMS = b"a b c d e f g h i j k l. a b c d e f g h i j k l! a b c d e f g h i j k l"
WORDS = np.array([0, 1, 2 | 1 << 31, 0, 1, 2 | 1 << 31, 3, 0, 1 | 1 << 31, 2, 0, 1, 2], np.uint32)
LENGTHS = np.array([3 | 1 << 31, 1 | 1 << 31, 2 | 1 << 31, 9], np.uint32)
KEY = np.uint64(0x0123456789ABCDEF)


def cases() -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield (kernel, arguments)."""
    for row in (*as_rows(), as_row(MARKED), as_row(GRAMS)):
        yield "signals.measure", (*row, *scratch(row[2] - row[1]))
        yield "ascii_counts.count_ascii", (*row, np.zeros(MEASURES, np.int64))
    urls = as_bytes(b"see https://a.io/x http://|http:// ahttps://b https:/c ttp://d https://")
    for at in range(4, len(urls)):
        if urls[at] == 58:
            yield "urls.url_start", (urls, 0, at, len(urls))
            yield "urls.url_start", (urls, at - 4, at, len(urls))
            yield "urls.url_start", (urls, at - 3, at, len(urls))
            yield "urls.url_end", (urls, at, len(urls))
    for at in range(0, len(TEXT), 5):
        yield "urls.url_character_width", (as_bytes(TEXT), at, len(TEXT))
    every = bytes(range(256))
    for at in range(0, 256, BLOCK):
        yield "ascii_counts.count_block", (as_bytes(every), at, np.zeros(MEASURES, np.int64))
    yield "ascii_counts.count_ascii", (*as_row(every), np.zeros(MEASURES, np.int64))
    for blanks in (1, 7, 8, 23):
        yield "load.blanks_at", (as_bytes(b"a" + b" " * blanks + b"\ta"), 1, blanks + 3)
        yield "load.blanks_at", (as_bytes(b" " * blanks), 0, blanks)
        yield "signals.spaced", (KEY, blanks, 32)
    for byte in range(256):
        yield "urls.is_hexadecimal", (np.uint8(byte),)
    yield from characters()
    yield from words()
    yield from lines()
    yield from ngrams()


def scratch(size: int) -> tuple[np.ndarray, ...]:
    """What `signals.measure` writes into, for a row of `size` bytes."""
    words = (size + 1) // 2
    return (
        np.zeros(words, np.uint32),
        np.zeros(words, np.uint32),
        np.zeros(words, np.uint64),
        np.zeros(slots_for(words), np.uint32),
        np.zeros((4, words), np.uint32),
        np.zeros(part_slots(size), np.uint64),
        np.zeros(STATE, np.int64),
        np.zeros(3, np.uint64),
        np.zeros(MEASURES, np.int64),
    )


def characters() -> Iterator[tuple[str, tuple[Any, ...]]]:
    for code in (0, 10, 65, 0x301, 0x4E00, 0xE01, 0x2022, 0xFFFD, 0x1F600, 0x10FFFF):
        yield "unicode_classes.flags_of", (code,)
    text = TEXT + b"\xe0\x80\x80\xed\xa0\x80\xf0\x80\x80\x80\xf4\x90\x80\x80\xc2"
    for at in range(0, len(text), 3):
        yield "unicode_classes.code_point", (as_bytes(text), at, len(text))
    for at in range(len(text) - 16, len(text)):
        yield "unicode_classes.code_point", (as_bytes(text), at, len(text))


def words() -> Iterator[tuple[str, tuple[Any, ...]]]:
    text = b"the with ... ## a longer#word##"
    for first, last in ((0, 3), (4, 8), (9, 12), (13, 15), (16, 17), (18, 31)):
        word = text[first:last]
        yield "words.hash_runs", (as_bytes(text), first, last)
        yield "words.hash_bytes", (as_bytes(text), first, last, len(text), KEY)
        eight = np.uint64(int.from_bytes(word, "little") if len(word) < 8 else 0)
        yield "words.fold", (KEY, eight)
        traits = (LETTER | PLAIN if word[-1:].isalpha() else 0) | (HASH if b"#" in word else 0)
        for measured in (0, 1):
            measures = np.zeros(MEASURES, np.int64)
            yield "words.count_word", (as_bytes(text), first, last, last - first, eight, traits, measured, measures)
    vocabulary, lengths = np.zeros(8, np.uint64), np.zeros(8, np.uint32)
    vocabulary[:3] = (7, 15, 23)
    table, size = np.zeros(16, np.uint32), np.zeros(11, np.int64)
    yield "words.clear_words", (3, np.ones(16, np.uint32), size)
    yield "words.enter_words", (vocabulary, 3, table, 8)
    table[7], table[0], table[1], size[:2] = 1, 2, 3, (3, 8)
    for word in (7, 15, 23, 31, 4):
        yield "words.number_word", (np.uint64(word), 5, vocabulary, lengths, table, size)
    size[:2] = (4, 8)
    yield "words.number_word", (np.uint64(4), 5, vocabulary, lengths, table, size)
    marked = as_bytes(MARKED)
    for last in range(len(MARKED)):
        yield "ellipses.ends_with_ellipsis", (marked, 0, last)
        yield "ellipses.ends_with_dots", (marked, 0, last)


def lines() -> Iterator[tuple[str, tuple[Any, ...]]]:
    row = as_row(MARKED)
    for last in range(row[1] + 1, row[2], 3):
        yield "lines.end_line", (row[0], row[1], last, last + last % 2, last, last % 5, np.zeros(MEASURES, np.int64))
        yield "lines.end_piece", (row[0], last - 1, last, np.zeros(MEASURES, np.int64))
        yield "lines.last_character", (row[0], row[1], last)
        yield "lines.trim_end", (row[0], row[1], last)
    yield "lines.end_line", (*row, row[2], 3, 1, np.zeros(MEASURES, np.int64))
    yield "lines.end_line", (row[0], -1, 4, 4, 3, 0, np.zeros(MEASURES, np.int64))
    yield "lines.end_piece", (row[0], -1, 4, np.zeros(MEASURES, np.int64))
    for breaks in (0, 3, 1 << 22):
        yield "repeats.part_slots", (breaks,)
    for text in (*ROWS, MARKED):
        row = as_row(text)
        yield "repeats.start_lines", (*row, text.count(b"\n"), *parts(0))
    for stop, filled, final in ((9, 1, 0), (5, 0, 0), (9, 1, 1), (30, 0, 0)):
        yield "repeats.repeat_line", (5, stop, filled, final, 4, 1, KEY, np.uint64(stop), *parts(1))
    yield "repeats.repeat_line", (21, 30, 0, 0, 4, 1, KEY, KEY, *parts(1))
    yield "repeats.end_block", (4, 1, KEY, KEY, *parts(0))
    yield "repeats.end_block", (4, 1, KEY, KEY, *parts(1))
    table, state, folds, measures = parts(1)
    yield "repeats.add_to_block", (KEY, 4, state, folds)
    yield "repeats.count_block", (table, state, folds, measures)
    yield "repeats.line_key", (KEY, np.uint64(3))
    for key in (0, 1, 5, 9, 13):
        yield "repeats.came_before", (np.uint64(key), table, state)


def parts(paragraphs: int) -> tuple[np.ndarray, ...]:
    """The table, the state, the folds and the measures of `repeats`."""
    state = np.array([0, 0, 20, 15, 4, 1, 3, 0, 1, paragraphs, 7], np.int64)
    measures = np.zeros(MEASURES, np.int64)
    measures[4] = paragraphs  # filled lines
    table = np.zeros(64, np.uint64)
    table[1:3] = (9, 5)
    return table, state, np.arange(3, dtype=np.uint64), measures


def ngrams() -> Iterator[tuple[str, tuple[Any, ...]]]:
    count = len(WORDS)
    table = np.zeros(slots_for(count), np.uint32)
    pairs, fresh = np.zeros(count, np.uint32), np.zeros(count, np.uint32)
    numbers = np.array([1, 2, 1, 2, 1, 2, 1, 2, 0, 0, 0, 0, 0], np.uint32)
    places = np.array([0, 1, 3, 4, 7, 8, 10, 11, 0, 0, 0, 0, 0], np.uint32)
    measures = np.zeros(MEASURES, np.int64)
    yield "ngrams.repeated_words", (WORDS, LENGTHS, count, pairs, fresh)
    yield "ngrams.lengthen", (numbers, places, 8, KEY, table, pairs, fresh)
    yield "ngrams.lengthen", (numbers, places, 1, KEY, table, pairs, fresh)
    for size in (2, 3):
        yield "repetition.count_top", (WORDS, LENGTHS, count, size, numbers, places, fresh, 7, measures)
        yield "repetition.count_again", (WORDS, LENGTHS, size, numbers, places, fresh, 7, measures)
        yield "repetition.gram_characters", (WORDS, LENGTHS, 1, size)
    yield "repetition.count_top", (WORDS, LENGTHS, count, 2, numbers, places, fresh, 0, measures)
    grams = np.zeros((4, count), np.uint32)
    yield "repetition.count_repeated_ngrams", (WORDS, LENGTHS, count, KEY, table, grams, measures)
