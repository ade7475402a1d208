"""The numbers about a document."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from pipeline.text.hashing import slots_for
from pipeline.text.signals import MEASURES
from tests.text.cases.rows import TEXT, as_bytes, as_rows

__all__ = ["cases"]

HASHES = np.array([7, 9, 7, 9, 7, 3, 0, 0, 1, 7, 9], np.uint64)
LENGTHS = np.array([3, 1, 3, 1, 3, 5, 2, 2, 9, 3, 1], np.int64)


def cases() -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield (kernel, arguments)."""
    for row in as_rows():
        words = (row[2] - row[1]) // 2 + 1
        slots = slots_for(words)
        scratch = np.zeros((3, words), np.uint64), np.zeros(words, np.int64)
        table = np.zeros(slots, np.uint64), np.zeros(slots, np.uint64)
        yield "signals.measure", (*row, *scratch, *table, np.zeros(len(MEASURES), np.int64))
        yield "urls.count_url_characters", row
    for at in range(0, len(TEXT), 5):
        yield "urls.url_character_width", (as_bytes(TEXT), at, len(TEXT))
    for byte in range(256):
        yield "urls.is_hexadecimal", (np.uint8(byte),)
    words = len(HASHES)
    slots = slots_for(words)
    yield "repetition.count_distinct", (HASHES, 0, words, np.zeros(slots, np.uint64))
    yield "repetition.count_distinct", (HASHES, 2, 2, np.zeros(slots, np.uint64))
    for size in (2, 3, 4):
        table = np.zeros(slots, np.uint64), np.zeros(slots, np.uint64)
        yield "repetition.top_ngram_characters", (HASHES, LENGTHS, words, size, *table)
        yield "repetition.hash_ngram", (HASHES, 3, size)
