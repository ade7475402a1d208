r"""The numbers about a document: integers from one pass over its bytes, and the shares made of them.

| signal | formula |
|---|---|
| `char_count` | code points |
| `word_count` | maximal runs without whitespace, as Python's `str.split()` |
| `line_count` | parts of `text.split("\n")`; 0 for an empty text |
| `mean_word_length` | code points of words / words |
| `duplicate_line_share` | 1 − distinct / all, over the stripped lines that are not blank |
| `duplicate_paragraph_share` | the same over the parts of `text.split("\n\n")` |
| `url_share` | characters in URLs (`urls`) / characters |
| `top_{2,3,4}gram_share` | characters of the most frequent word n-gram (`repetition`) / characters |

Every share lies in [0, 1], and what would be 0 / 0 is 0: an empty or short text fails no rule for being short, where
NeMo Curator scores texts with fewer than n words 1.0 and drops them. The duplicate shares are Curator's flavour (its
rule keeps distinct / all ≥ 0.7), with lines stripped.
"""

from __future__ import annotations

import numpy as np

from pipeline.text.characters import whitespace_width
from pipeline.text.hashing import SEED, add_byte, mix
from pipeline.text.kernel import declare
from pipeline.text.repetition import count_distinct, top_ngram_characters
from pipeline.text.urls import count_url_characters

__all__ = ["MEASURES", "derive", "measure"]

MEASURES = (
    "characters",
    "words",
    "lines",
    "word_characters",
    "full_lines",
    "distinct_lines",
    "full_paragraphs",
    "distinct_paragraphs",
    "url_characters",
    "top_2gram_characters",
    "top_3gram_characters",
    "top_4gram_characters",
)
"""What `measure` writes, in this order."""


def derive(measures: np.ndarray) -> dict[str, np.ndarray]:
    """Return the signals, int64 and float64 arrays of n values, from what `measure` wrote.

    Args:
        measures: int64 array (n, len(MEASURES)).
    """
    m = {name: measures[:, column] for column, name in enumerate(MEASURES)}
    signals = {
        "char_count": m["characters"].copy(),
        "word_count": m["words"].copy(),
        "line_count": m["lines"].copy(),
        "mean_word_length": _ratio(m["word_characters"], m["words"]),
        "duplicate_line_share": _ratio(m["full_lines"] - m["distinct_lines"], m["full_lines"]),
        "duplicate_paragraph_share": _ratio(m["full_paragraphs"] - m["distinct_paragraphs"], m["full_paragraphs"]),
        "url_share": _ratio(m["url_characters"], m["characters"]),
    }
    for size in (2, 3, 4):
        signals[f"top_{size}gram_share"] = _ratio(m[f"top_{size}gram_characters"], m["characters"])
    return signals


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    shares: np.ndarray = np.divide(part, whole, out=np.zeros(len(whole)), where=whole != 0)
    return shares


@declare("int64(uint8[::1], int64, int64, uint64[:, ::1], int64[::1], uint64[::1], uint64[::1], int64[::1])")
def measure(
    buffer: np.ndarray,
    start: int,
    end: int,
    hashes: np.ndarray,
    lengths: np.ndarray,
    keys: np.ndarray,
    tallies: np.ndarray,
    measures: np.ndarray,
) -> int:
    """Measure one document, and return its number of words.

    Args:
        buffer: Bytes of the column; the row is `[start, end)`.
        start: Its first byte.
        end: One past its last byte.
        hashes: Scratch (3, W) for the hashes of words, lines and paragraphs; W is at least the number of words, so
            that half the bytes, rounded up, always suffice.
        lengths: Scratch (W) for the characters of words.
        keys: Scratch (`slots_for(W)`), and
        tallies: scratch of the same size: the table that counts.
        measures: Where to write the `MEASURES`.
    """
    characters = 0
    words = 0
    word_characters = 0
    breaks = 0
    lines = 0
    paragraphs = 0
    word = SEED  # running hashes; `line` and `paragraph` begin at their first word …
    word_length = 0
    line = SEED
    paragraph = SEED
    line_end = SEED  # … and their value after their last word so far is their value stripped
    paragraph_end = SEED
    in_word = False
    in_line = False
    in_paragraph = False
    after_break = False
    i = start
    while i < end:
        byte = buffer[i]
        width = 0 if 32 < byte < 0xC2 else whitespace_width(buffer, i, end)  # a shortcut for what is surely none
        if width == 0:
            if byte & 0xC0 != 0x80:
                characters += 1
                word_length += 1
            word = add_byte(word, byte)
            line = add_byte(line, byte)
            paragraph = add_byte(paragraph, byte)
            in_word = True
            in_line = True
            in_paragraph = True
            after_break = False
            i += 1
            continue
        characters += 1
        if in_word:
            hashes[0, words] = mix(word)
            lengths[words] = word_length
            words += 1
            word_characters += word_length
            word = SEED
            word_length = 0
            in_word = False
            line_end = line
            paragraph_end = paragraph
        for k in range(i, i + width):
            if in_line:
                line = add_byte(line, buffer[k])
            if in_paragraph:
                paragraph = add_byte(paragraph, buffer[k])
        i += width
        if byte != 10:
            after_break = False
            continue
        breaks += 1
        if in_line:
            hashes[1, lines] = mix(line_end)
            lines += 1
            line = SEED
            in_line = False
        if after_break and in_paragraph:
            hashes[2, paragraphs] = mix(paragraph_end)
            paragraphs += 1
            paragraph = SEED
            in_paragraph = False
        after_break = not after_break  # the second of two breaks is used up: `\n\n\n` parts once
    if in_word:
        hashes[0, words] = mix(word)
        lengths[words] = word_length
        words += 1
        word_characters += word_length
        line_end = line
        paragraph_end = paragraph
    if in_line:
        hashes[1, lines] = mix(line_end)
        lines += 1
    if in_paragraph:
        hashes[2, paragraphs] = mix(paragraph_end)
        paragraphs += 1
    measures[0] = characters
    measures[1] = words
    measures[2] = breaks + 1 if end > start else 0
    measures[3] = word_characters
    measures[4] = lines
    measures[5] = count_distinct(hashes[1], 0, lines, keys)
    measures[6] = paragraphs
    measures[7] = count_distinct(hashes[2], 0, paragraphs, keys)
    measures[8] = count_url_characters(buffer, start, end)
    for size in range(2, 5):
        measures[7 + size] = top_ngram_characters(hashes[0], lengths, words, size, keys, tallies)
    return words
