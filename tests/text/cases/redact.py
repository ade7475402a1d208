"""Other bytes in the place of spans."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tests.text.cases.rows import TEXT, as_bytes

__all__ = ["cases"]


def cases() -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield (kernel, arguments)."""
    buffer = as_bytes(TEXT)
    values, bounds = as_bytes(b"<EMAIL><IP>"), np.array([0, 7, 7, 11], np.int64)
    starts, ends = np.array([3, 9, 30], np.int64), np.array([5, 30, 31], np.int64)
    for spans in ((0, 3), (1, 2), (2, 2)):
        for output, at in ((np.zeros(0, np.uint8), -1), (np.zeros(64, np.uint8), 4)):
            yield "replace.replace_spans", (buffer, 1, 40, starts, ends, *spans, values, bounds, output, at)
    for start, end, at in ((0, 0, 1), (3, 9, 1), (3, 9, -1)):
        yield "replace.copy_bytes", (buffer, start, end, np.zeros(8, np.uint8), at)
