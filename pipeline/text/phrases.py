r"""Phrases of boilerplate, and the line rules of C4, in one pass over a row.

The phrases are those of NeMo Curator's `BoilerPlateStringFilter` (`stages/text/utils/constants.py`) and of datatrove's
`C4QualityFilter` (`pipeline/filters/c4_filters.py`), which took them from C4. Two of Curator's fourteen are left out:
they contain `uses cookies`, so that they never decide. Case is folded for ASCII only; Python's `str.lower` also turns
the Kelvin sign into a `k`.

A phrase is looked for where its *anchor* stands, a letter that is rare in text, so that few bytes of a row are looked
at twice.
"""

from __future__ import annotations

import numpy as np

from pipeline.text.characters import whitespace_width
from pipeline.text.derive import ratio
from pipeline.text.kernel import declare, int64
from pipeline.text.unicode_classes import MARK, UNSPACED, code_point, flags_of

__all__ = ["PHRASE_MEASURES", "derive_phrases", "measure_phrases"]

PHRASE_MEASURES = (
    "paragraphs",
    "policy_paragraphs",
    "lorem_ipsums",
    "curly_brackets",
    "filled_lines",
    "javascript_lines",
    "policy_lines",
    "unmarked_lines",
    "few_word_lines",
)
"""What `measure_phrases` writes, in this order."""

CURATOR = 1
C4 = 2
LOREM_IPSUM = 4
JAVASCRIPT = 8

ANCHORS = "kmv"
PHRASES = (
    ("k", "cookie policy", CURATOR | C4),
    ("k", "uses cookies", CURATOR | C4),
    ("k", "use of cookies", CURATOR | C4),
    ("k", "use cookies", CURATOR | C4),
    (
        "k",
        "necessary cookies are absolutely essential for the website to function properly. this category only includes "
        "cookies that ensures basic functionalities and security features of the website. these cookies do not store "
        "any personal information.",
        CURATOR,
    ),
    (
        "k",
        "any cookies that may not be particularly necessary for the website to function and is used specifically to "
        "collect user personal data via analytics, ads, other embedded contents are termed as non-necessary cookies. "
        "it is mandatory to procure user consent prior to running these cookies on your website.",
        CURATOR,
    ),
    (
        "k",
        "if you continue to browse this site without changing your cookie settings, you agree to this use. acceptread "
        "more",
        CURATOR,
    ),
    ("m", "terms of use", CURATOR | C4),
    ("m", "lorem ipsum", LOREM_IPSUM),
    ("v", "privacy policy", CURATOR | C4),
    ("v", "privacy overview", CURATOR),
    ("v", "privacy & cookies policy", CURATOR),
    ("v", "privacy and cookies policy", CURATOR),
    ("v", "javascript", JAVASCRIPT),
)
"""Anchor, phrase in lower case, and who looks for it; by anchor."""

TEXT = np.frombuffer("".join(phrase for _, phrase, _ in PHRASES).encode(), np.uint8).copy()
BOUNDS = np.cumsum([0] + [len(phrase) for _, phrase, _ in PHRASES]).astype(np.int64)
OFFSETS = np.array([phrase.index(anchor) for anchor, phrase, _ in PHRASES], np.int64)
MEANINGS = np.array([meaning for _, _, meaning in PHRASES], np.int64)
FIRST = np.searchsorted([anchor for anchor, _, _ in PHRASES], [*ANCHORS, "~"]).astype(np.int64)
"""The phrases of anchor a are those from `FIRST[a]` to `FIRST[a + 1]`."""
FOLLOWERS = np.zeros(256, np.uint8)
"""Bit a is set for a byte that follows anchor a in a phrase."""
for _anchor, _phrase, _ in PHRASES:
    _follower = _phrase[_phrase.index(_anchor) + 1]
    FOLLOWERS[[ord(_follower), ord(_follower.upper())]] |= 1 << ANCHORS.index(_anchor)

BREAK = 1
CURLY = 2
ANCHOR = 3
CLASSES = np.zeros(256, np.uint8)
"""By byte: nothing (0), a line feed, a curly bracket, or `ANCHOR` + a for anchor a."""
CLASSES[ord("\n")] = BREAK
CLASSES[ord("{")] = CURLY
for _number, _letter in enumerate(ANCHORS):
    CLASSES[[ord(_letter), ord(_letter.upper())]] = ANCHOR + _number

ASCII_SPACE = np.array([byte < 0x80 and chr(byte).isspace() for byte in range(256)], np.uint8)

UNMARKED = 2
FEW_WORDS = 4


def derive_phrases(measures: np.ndarray) -> dict[str, np.ndarray]:
    """Return the signals of boilerplate, int64 and float64 arrays of n values, from what `measure_phrases` wrote.

    Args:
        measures: int64 array (n, len(PHRASE_MEASURES)).
    """
    m = {name: measures[:, place] for place, name in enumerate(PHRASE_MEASURES)}
    policies = np.where(m["lorem_ipsums"] > 0, m["paragraphs"], m["policy_paragraphs"])
    return {
        "boilerplate_paragraph_share_curator": ratio(policies, m["paragraphs"]),
        "lorem_ipsum_count": m["lorem_ipsums"].copy(),
        "curly_bracket_count": m["curly_brackets"].copy(),
        "javascript_line_share_c4": ratio(m["javascript_lines"], m["filled_lines"]),
        "policy_line_share_c4": ratio(m["policy_lines"], m["filled_lines"]),
        "unmarked_line_share_c4": ratio(m["unmarked_lines"], m["filled_lines"]),
        "few_word_line_share_c4": ratio(m["few_word_lines"], m["filled_lines"]),
    }


@declare("int64(uint8[::1], int64, int64, int64[::1])")
def measure_phrases(buffer: np.ndarray, start: int, end: int, measures: np.ndarray) -> int:
    r"""Count phrases, and the paragraphs and lines that hold them; return the number of phrases.

    Args:
        buffer: Bytes of the column; the row is `[start, end)`.
        start: Its first byte.
        end: One past its last byte.
        measures: Where to write the `PHRASE_MEASURES`. Paragraphs are all parts of `text.split("\n\n")`, blank ones
            too; lines are the filled parts of `text.split("\n")`.
    """
    phrases = 0
    paragraphs = 1
    policy_paragraphs = 0
    lorem_ipsums = 0
    curly_brackets = 0
    filled_lines = 0
    javascript_lines = 0
    policy_lines = 0
    unmarked_lines = 0
    few_word_lines = 0
    line = start
    in_line = 0  # whose phrases the line holds
    in_paragraph = 0
    at_break = False  # a line feed stands before that has not parted two paragraphs
    i = start
    while i <= end:
        while i < end and CLASSES[buffer[i]] == 0:
            i += 1
        kind = int64(CLASSES[buffer[i]]) if i < end else BREAK
        if kind == CURLY:
            curly_brackets += 1
        elif kind >= ANCHOR:
            likely = i + 1 == end or FOLLOWERS[buffer[i + 1]] >> (kind - ANCHOR) & 1
            meaning = find_phrase(buffer, start, i, end, kind - ANCHOR) if likely else 0
            if meaning:
                phrases += 1
                in_line |= meaning
                if meaning == LOREM_IPSUM:
                    lorem_ipsums += 1
        else:
            in_paragraph |= in_line
            facts = judge_line(buffer, line, i)
            if facts:
                filled_lines += 1
                unmarked_lines += (facts & UNMARKED) >> 1
                few_word_lines += (facts & FEW_WORDS) >> 2
                policy_lines += (in_line & C4) >> 1
                javascript_lines += (in_line & JAVASCRIPT) >> 3
            parted = at_break and i == line
            if parted or i == end:
                policy_paragraphs += in_paragraph & CURATOR
                in_paragraph = 0
                if parted and i < end:
                    paragraphs += 1
            at_break = not parted  # the second of two line feeds is used up: `\n\n\n` parts once
            in_line = 0
            line = i + 1
        i += 1
    measures[0] = paragraphs
    measures[1] = policy_paragraphs
    measures[2] = lorem_ipsums
    measures[3] = curly_brackets
    measures[4] = filled_lines
    measures[5] = javascript_lines
    measures[6] = policy_lines
    measures[7] = unmarked_lines
    measures[8] = few_word_lines
    return phrases


@declare("int64(uint8[::1], int64, int64, int64, int64)")
def find_phrase(buffer: np.ndarray, start: int, at: int, end: int, anchor: int) -> int:
    """Return the meanings of the phrases whose anchor stands at `at`, 0 if there are none.

    Args:
        buffer: Bytes of the column; the row is `[start, end)`.
        start: Its first byte.
        at: Where one of `ANCHORS` stands.
        end: One past its last byte.
        anchor: Which of `ANCHORS`.
    """
    meaning = 0
    for phrase in range(FIRST[anchor], FIRST[anchor + 1]):
        first = at - OFFSETS[phrase]
        length = BOUNDS[phrase + 1] - BOUNDS[phrase]
        if first < start or first + length > end:
            continue
        k = 0
        while k < length:
            byte = int64(buffer[first + k])
            if 65 <= byte <= 90:
                byte += 32
            if byte != TEXT[BOUNDS[phrase] + k]:
                break
            k += 1
        if k == length:
            meaning |= MEANINGS[phrase]
    return meaning


@declare("int64(uint8[::1], int64, int64)")
def judge_line(buffer: np.ndarray, start: int, end: int) -> int:
    """Return 0 for a blank line, else 1, plus `UNMARKED` and `FEW_WORDS` where they hold (fewer than three words)."""
    last = end
    while last > start:
        if buffer[last - 1] < 0x80:
            width = whitespace_width(buffer, last - 1, end)
        elif last - 2 >= start and whitespace_width(buffer, last - 2, last) == 2:
            width = 2
        elif last - 3 >= start and whitespace_width(buffer, last - 3, last) == 3:
            width = 3
        else:
            width = 0
        if width == 0:
            break
        last -= width
    if last == start:
        return 0
    facts = 1
    mark = buffer[last - 1]
    dots = mark == 46 and last - 3 >= start and buffer[last - 2] == 46 and buffer[last - 3] == 46
    if dots or not (mark == 46 or mark == 63 or mark == 33 or mark == 34 or mark == 39):  # . ? ! " '
        facts |= UNMARKED
    if count_words(buffer, start, last, 3) < 3:
        facts |= FEW_WORDS
    return facts


@declare("int64(uint8[::1], int64, int64, int64)")
def count_words(buffer: np.ndarray, start: int, end: int, most: int) -> int:
    """Return the number of words, or `most` if there are at least as many."""
    words = 0
    begins = True  # a character that is no whitespace begins a word
    alone = False  # the last letter is a word by itself
    i = start
    while i < end and words < most:
        byte = buffer[i]
        width = int64(ASCII_SPACE[byte]) if byte < 0xC2 else whitespace_width(buffer, i, end)
        if width:
            begins = True
            alone = False
            i += width
            continue
        code = code_point(buffer, i, end) if byte >= 0xCC else 0  # U+0300 on: no mark and no such script before
        if code > 0:
            flags = flags_of(code)
            if flags & UNSPACED:
                words += 1
                alone = True
                begins = True
                i += 2 if code < 0x800 else 3 if code < 0x10000 else 4
                continue
            if alone and flags & MARK:
                i += 2 if code < 0x800 else 3 if code < 0x10000 else 4
                continue
        words += 1 if begins else 0
        begins = False
        alone = False
        i += 1
    return words
