"""The cleaners."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tests.text.cases.rows import TEXT, as_bytes, as_rows

__all__ = ["cases"]

WIDTHS = ("characters.whitespace_width", "controls.control_width", "newlines.break_width", "whitespace.space_width")


def cases() -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield (kernel, arguments)."""
    for row in as_rows():
        for name in ("controls.remove_controls", "newlines.unify_newlines", "whitespace.trim_whitespace"):
            yield name, (*row, np.zeros(0, np.uint8), -1)
            yield name, (*row, np.zeros(256, np.uint8), 3)
        yield "characters.needs_normalising", (*row, 0x80)
    bounds = np.array([0, 5, 5, 40, len(TEXT)], np.int64)
    bounds.flags.writeable = False
    for first, last in ((0, 0), (0, 3), (2, 4)):
        yield "join.join_contents", (as_bytes(TEXT), bounds, first, last, np.zeros(len(TEXT) + 8, np.uint8), 1)
        yield "join.join_contents", (as_bytes(TEXT), bounds, first, last, np.zeros(0, np.uint8), -1)
    for at in range(0, len(TEXT), 5):
        for name in (
            "characters.whitespace_width",
            "controls.control_width",
            "newlines.break_width",
            "whitespace.space_width",
        ):
            yield name, (as_bytes(TEXT), at, len(TEXT))
