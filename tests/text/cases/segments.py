"""Segments of rows, cut at any byte."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from pipeline.text.shingles import CHARACTERS, WORDS
from tests.text.cases.rows import as_rows

__all__ = ["cases"]


def cases() -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield (kernel, arguments)."""
    for buffer, start, end in as_rows():
        for low in range(start, end, 9):
            high = min(low + 9, end)
            yield "segments.character_start", (buffer, low, end)
            yield "segments.text_start", (buffer, low, high, end)
            yield "segments.fold_segment", (buffer, low, high, end, np.zeros(64, np.uint8), 3)
            for unit in (CHARACTERS, WORDS):
                yield "segments.token_start", (buffer, start, low, end, unit)
                yield "segments.pass_tokens", (buffer, low, end, unit, 2)
                yield "segments.segment_end", (buffer, start, low, high, end, unit, 3)
