"""Phrases of boilerplate, URLs, ellipses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from pipeline.text.measures import MEASURES
from pipeline.text.phrases import ANCHORS, PHRASES
from pipeline.text.rare import BLOCK
from tests.text.cases.rows import TEXT, as_row, as_rows

__all__ = ["cases"]

BOILERPLATE = (
    b"See our Terms of Use.\nWe use cookies... \n\n\nLorem IPSUM { javaScript\n\xe3\x80\x80one two \xc2\xa0\n "
    b"\xc2\x85\nPrivacy & Cookies Policy\n\ncooki\xff privacy polic http://a.b/..... Terms of Use; privacy policy"
)


def cases() -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield (kernel, arguments)."""
    for row in [*as_rows(), as_row(BOILERPLATE), *(as_row(phrase.encode()) for _, phrase, _ in PHRASES)]:
        yield "rare.count_rare", (*row, np.zeros(MEASURES, np.int64))
    buffer, start, end = as_row(BOILERPLATE + TEXT)
    for at in range(start, end - 2):
        yield "rare.sight_at", (buffer, at)
        if at % 7 == 0:
            yield "rare.part_end", (buffer, at, end, 0)
            yield "rare.part_end", (buffer, at, end, 1)
        if at % 7 == 0 and at + BLOCK + 2 <= end:
            yield "rare.may_hold", (buffer, at)
        if (sight := bytes(buffer[at : at + 3]).lower().decode("latin-1")) in ANCHORS:
            yield "phrases.find_phrase", (buffer, start, at, end, ANCHORS.index(sight))
