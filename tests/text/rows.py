"""A kernel that writes measures, called on one text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

__all__ = ["measured"]


def measured(kernel: Callable[..., Any], names: Sequence[str], text: str | bytes, *arguments: int) -> dict[str, int]:
    """What a kernel writes for one text; bytes that are not the row's stand around it."""
    row = text.encode() if isinstance(text, str) else text
    buffer = np.frombuffer(b"\n*/ terms of " + row + b" use\n</p>\"'", np.uint8)
    measures = np.full(len(names), -9, np.int64)
    kernel(buffer, 13, 13 + len(row), *arguments, measures)
    return dict(zip(names, measures.tolist(), strict=True))
