"""Where personal data stands in a text column."""

from __future__ import annotations

import string
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.engines.columns import from_arrow, to_arrow

__all__ = ["Spans", "merge", "uncovered", "values_of"]

_BETWEEN = (string.whitespace + string.punctuation).encode()


class Spans(NamedTuple):
    """Where personal data stands: m spans, sorted, none of which overlaps another.

    Attributes:
        rows: int64 (m), the text that each stands in.
        starts: int64 (m), its first byte's place in the column's buffer.
        ends: int64 (m), the place after its last byte.
        entities: int8 (m), which of `ENTITIES` it is.
    """

    rows: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    entities: np.ndarray

    def only(self, chosen: np.ndarray) -> Spans:
        """The spans that are `chosen`: bool (m), or places in the order that is wanted."""
        return Spans(*(array[chosen] for array in self))


def values_of(texts: pa.LargeStringArray, spans: Spans) -> pa.LargeStringArray:
    """The bytes of every span: m texts."""
    lengths = spans.ends - spans.starts
    bounds = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=bounds[1:])
    places = np.repeat(spans.starts - bounds[:-1], lengths) + np.arange(bounds[-1])
    return to_arrow(from_arrow(texts).buffer[places], bounds)


def merge(texts: pa.LargeStringArray, first: Spans, second: Spans) -> Spans:
    """Put two lists of spans of the texts together; of the second, what the first covers is left out.

    So of a name that swallowed the address behind it, the name is left, without the brackets between the two.
    """
    if not len(second.rows):
        return first
    low = np.searchsorted(first.ends, second.starts, "right")  # spans of the first that end after this begins
    high = np.searchsorted(first.starts, second.ends, "left")  # and begin before it ends
    overlapping = low < high
    pieces = []
    buffer = from_arrow(texts).buffer
    for span in np.flatnonzero(overlapping).tolist():
        start, end, covers = int(second.starts[span]), int(second.ends[span]), slice(low[span], high[span])
        covered = zip((first.starts[covers] - start).tolist(), (first.ends[covers] - start).tolist(), strict=True)
        for left, right in uncovered(buffer[start:end].tobytes(), covered):
            pieces.append((second.rows[span], start + left, start + right, second.entities[span]))
    cut = Spans(*(np.array([piece[k] for piece in pieces], array.dtype) for k, array in enumerate(second)))
    together = Spans(*map(np.concatenate, zip(first, second.only(~overlapping), cut, strict=True)))
    return together.only(np.argsort(together.starts, kind="stable"))


def uncovered(text: bytes, covers: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """What is left of a text, as places in it; a piece loses the spaces and marks at its ends.

    Args:
        text: The whole text.
        covers: What is covered, in ascending order; it may reach beyond the text.
    """
    left = []
    floor = 0
    for start, end in [*covers, (len(text), len(text))]:
        piece = text[floor : max(start, 0)]
        if stripped := piece.strip(_BETWEEN):
            first = floor + len(piece) - len(piece.lstrip(_BETWEEN))
            left.append((first, first + len(stripped)))
        floor = max(floor, end)
    return left
