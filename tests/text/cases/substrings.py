"""Anchors of windows, and where a cut may begin and end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tests.text.cases.rows import as_row, as_rows

__all__ = ["cases"]

WORDS = b"word " * 30, "no space: 日本語のテキスト".encode() * 4, b"x" * 70 + b" y\n" + b"z" * 70
RUNS = (b"a" * 60, b"ab" * 30, *WORDS)


def cases() -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield (kernel, arguments)."""
    for row in [*as_rows(), *map(as_row, RUNS)]:
        for length, block in ((8, 4), (9, 1), (5, 5), (64, 32)):
            room = row[2] - row[1] + 3
            ring = np.zeros(1 << (length - block).bit_length(), np.uint64)
            out = np.zeros(room, np.uint64), np.zeros(room, np.int64), np.zeros(room, np.int64)
            yield "winnow.stretches", (*row, length, block, ring, *out, 3)
        size = row[2] - row[1]
        for first, last in ((0, size), (1, size - 1), (size // 3, size - size // 4), (size // 2, size // 2)):
            if first <= last:
                for lines in (0, 1):
                    span = row[1] + first, row[1] + last
                    yield "cutting.cut_bounds", (*row, *span, lines, np.zeros(2, np.int64))
        for at in range(row[1], row[2] + 1, 3):
            yield "cutting.open_before", (*row, at)
