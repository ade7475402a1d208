"""What a kernel read of JSON lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

__all__ = ["PlainLines", "joined"]


class PlainLines(NamedTuple):
    """What was read of n lines.

    Attributes:
        plain: bool (n), which were.
        texts: The texts of the m that were, row by row: m times as many as there are keys.
        rest: The exact JSON of each one's other members, or `""`: m texts.
    """

    plain: np.ndarray
    texts: pa.LargeStringArray
    rest: pa.LargeStringArray

    def part(self, first: int, last: int) -> PlainLines:
        """What was read of the lines from a place to before another."""
        before, rows = (int(self.plain[begin:end].sum()) for begin, end in ((0, first), (first, last)))
        texts = len(self.texts) // max(1, len(self.rest))
        return PlainLines(
            self.plain[first:last], self.texts.slice(texts * before, texts * rows), self.rest.slice(before, rows)
        )


def joined(some: Sequence[PlainLines]) -> PlainLines:
    """What was read of lines that follow each other."""
    plain, texts, rest = zip(*some, strict=True)
    return PlainLines(np.concatenate(plain), pa.concat_arrays(texts), pa.concat_arrays(rest))
