"""Phrases of boilerplate.

They are those of NeMo Curator's `BoilerPlateStringFilter` (`stages/text/utils/constants.py`) and of datatrove's
`C4QualityFilter` (`pipeline/filters/c4_filters.py`), which took them from C4. Two of Curator's fourteen are left out:
they contain `uses cookies`, so that they never decide. Case is folded for ASCII only; Python's `str.lower` also turns
the Kelvin sign into a `k`.

A phrase is looked for where its *anchor* stands, three characters that are rare in text.
"""

from __future__ import annotations

import numpy as np

from pipeline.text.derive import ratio
from pipeline.text.kernel import declare, int64
from pipeline.text.measures import (
    CURLY_BRACKETS,
    FEW_WORD_LINES,
    FILLED_LINES,
    JAVASCRIPT_LINES,
    LOREM_IPSUMS,
    PARAGRAPH_BREAKS,
    POLICY_LINES,
    POLICY_PARAGRAPHS,
    UNMARKED_LINES,
)

__all__ = ["ANCHORS", "C4", "CURATOR", "JAVASCRIPT", "LOREM_IPSUM", "derive_phrases", "find_phrase"]

CURATOR = 1
C4 = 2
LOREM_IPSUM = 4
JAVASCRIPT = 8

ANCHORS = ("kie", "ms ", "psu", "vac", "vas")
PHRASES = (
    ("kie", "cookie policy", CURATOR | C4),
    ("kie", "uses cookies", CURATOR | C4),
    ("kie", "use of cookies", CURATOR | C4),
    ("kie", "use cookies", CURATOR | C4),
    (
        "kie",
        "necessary cookies are absolutely essential for the website to function properly. this category only includes "
        "cookies that ensures basic functionalities and security features of the website. these cookies do not store "
        "any personal information.",
        CURATOR,
    ),
    (
        "kie",
        "any cookies that may not be particularly necessary for the website to function and is used specifically to "
        "collect user personal data via analytics, ads, other embedded contents are termed as non-necessary cookies. "
        "it is mandatory to procure user consent prior to running these cookies on your website.",
        CURATOR,
    ),
    (
        "kie",
        "if you continue to browse this site without changing your cookie settings, you agree to this use. acceptread "
        "more",
        CURATOR,
    ),
    ("ms ", "terms of use", CURATOR | C4),
    ("psu", "lorem ipsum", LOREM_IPSUM),
    ("vac", "privacy policy", CURATOR | C4),
    ("vac", "privacy overview", CURATOR),
    ("vac", "privacy & cookies policy", CURATOR),
    ("vac", "privacy and cookies policy", CURATOR),
    ("vas", "javascript", JAVASCRIPT),
)
"""Anchor, phrase in lower case, and who looks for it; by anchor."""

TEXT = np.frombuffer("".join(phrase for _, phrase, _ in PHRASES).encode(), np.uint8).copy()
BOUNDS = np.cumsum([0] + [len(phrase) for _, phrase, _ in PHRASES]).astype(np.int64)
OFFSETS = np.array([phrase.index(anchor) for anchor, phrase, _ in PHRASES], np.int64)
MEANINGS = np.array([meaning for _, _, meaning in PHRASES], np.int64)
FIRST = np.searchsorted([anchor for anchor, _, _ in PHRASES], [*ANCHORS, "~"]).astype(np.int64)
"""The phrases of anchor a are those from `FIRST[a]` to `FIRST[a + 1]`."""


def derive_phrases(measures: np.ndarray) -> dict[str, np.ndarray]:
    """Return the signals of boilerplate, int64 and float64 arrays of n values, from what `signals.measure` wrote.

    Args:
        measures: int64 array (n, MEASURES).
    """
    paragraphs = measures[:, PARAGRAPH_BREAKS] + 1
    lorem_ipsums = measures[:, LOREM_IPSUMS]
    lines = measures[:, FILLED_LINES]
    policies = np.where(lorem_ipsums > 0, paragraphs, measures[:, POLICY_PARAGRAPHS])
    return {
        "boilerplate_paragraph_share_curator": ratio(policies, paragraphs),
        "lorem_ipsum_count": lorem_ipsums.copy(),
        "curly_bracket_count": measures[:, CURLY_BRACKETS].copy(),
        "javascript_line_share_c4": ratio(measures[:, JAVASCRIPT_LINES], lines),
        "policy_line_share_c4": ratio(measures[:, POLICY_LINES], lines),
        "unmarked_line_share_c4": ratio(measures[:, UNMARKED_LINES], lines),
        "few_word_line_share_c4": ratio(measures[:, FEW_WORD_LINES], lines),
    }


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
