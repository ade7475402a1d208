"""Phrases of boilerplate and the line rules of C4."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from pipeline.text.phrases import ANCHORS, PHRASE_MEASURES, PHRASES
from tests.text.cases.rows import TEXT, as_row, as_rows

__all__ = ["cases"]

BOILERPLATE = (
    b"See our Terms of Use.\nWe use cookies... \n\n\nLorem IPSUM { javaScript\n\xe3\x80\x80one two \xc2\xa0\n "
    b"\xc2\x85\nPrivacy & Cookies Policy\n\ncooki\xff privacy polic"
)


def cases() -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield (kernel, arguments)."""
    rows = [*as_rows(), as_row(BOILERPLATE), *(as_row(phrase.encode()) for _, phrase, _ in PHRASES)]
    for row in rows:
        yield "phrases.measure_phrases", (*row, np.zeros(len(PHRASE_MEASURES), np.int64))
        yield "phrases.judge_line", row
        yield "phrases.count_words", (*row, 3)
    buffer, start, end = as_row(BOILERPLATE + TEXT)
    for at in range(start, end):
        if (letter := chr(buffer[at]).lower()) in ANCHORS:
            yield "phrases.find_phrase", (buffer, start, at, end, ANCHORS.index(letter))
