"""Substrings that many texts share: where windows have one anchor, digests of spans, and bounds of cuts."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from pipeline.engines.columns import from_arrow
from pipeline.engines.stretches import Stretches
from pipeline.text.cutting import cut_bounds
from pipeline.text.digest import digest
from pipeline.text.kernel import compiled
from pipeline.text.winnow import stretches as stretches_of

__all__ = ["cut_spans", "digest_spans", "stretches"]

_SLICE = 4 << 20
"""Bytes of texts that are winnowed at once, or a single longer text: room for a stretch a byte is asked for."""


def stretches(texts: pa.LargeStringArray, length: int) -> Stretches:
    """Find the stretches of every text; a block has half the bytes of a window.

    Args:
        texts: n texts.
        length: Bytes in a window.
    """
    column = from_arrow(texts)
    block = length // 2
    ring = np.empty(1 << (length - block).bit_length(), np.uint64)
    found = [Stretches(*(np.zeros(0, kind) for kind in (np.uint64, np.int64, np.int64, np.int64)))]
    low = 0
    while low < column.rows:
        high = int(np.searchsorted(column.bounds, column.bounds[low] + _SLICE, "right")) - 1
        high = min(max(high, low + 1), column.rows)
        room = int(column.bounds[high] - column.bounds[low])  # memory that is never touched costs nothing
        keys, firsts, counts = (np.empty(room, kind) for kind in (np.uint64, np.int64, np.int64))
        many = np.empty(high - low, np.int64)
        total = stretch_rows(column.buffer, column.bounds, low, length, block, ring, keys, firsts, counts, many)
        rows = np.repeat(np.arange(low, high), many)
        found.append(Stretches(keys[:total].copy(), rows, firsts[:total].copy(), counts[:total].copy()))
        low = high
    return Stretches(*map(np.concatenate, zip(*found, strict=True)))


def digest_spans(texts: pa.LargeStringArray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Take the 128-bit digest (MurmurHash3_x64_128) of the bytes of every span.

    Args:
        texts: n texts.
        starts: int64 (m), places in the column's buffer.
        ends: int64 (m).

    Returns:
        uint64 array (m, 2).
    """
    digests = np.empty((len(starts), 2), np.uint64)
    digest_span_rows(from_arrow(texts).buffer, starts, ends, digests)
    return digests


def cut_spans(
    texts: pa.LargeStringArray, rows: np.ndarray, starts: np.ndarray, ends: np.ndarray, lines: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Say what can be cut within spans.

    Args:
        texts: n texts.
        rows: int64 (m), the text that each span stands in.
        starts: int64 (m), places in the column's buffer.
        ends: int64 (m).
        lines: bool (m), whether only whole lines may go.

    Returns:
        Where every cut begins and ends, equal where nothing can be cut: int64 (m) each.
    """
    column = from_arrow(texts)
    bounds = np.empty((len(rows), 2), np.int64)
    cut_span_rows(column.buffer, column.bounds, rows, starts, ends, lines.astype(np.int64), bounds)
    return np.ascontiguousarray(bounds[:, 0]), np.ascontiguousarray(bounds[:, 1])


@compiled
def stretch_rows(
    buffer: np.ndarray,
    bounds: np.ndarray,
    low: int,
    length: int,
    block: int,
    ring: np.ndarray,
    keys: np.ndarray,
    firsts: np.ndarray,
    counts: np.ndarray,
    many: np.ndarray,
) -> int:
    """Write the stretches of the rows from `low` on, `many[k]` of row `low + k`, and return how many there are."""
    total = 0
    for k in range(len(many)):
        start = bounds[low + k]
        end = bounds[low + k + 1]
        many[k] = stretches_of(buffer, start, end, length, block, ring, keys, firsts, counts, total)
        total += many[k]
    return total


@compiled
def digest_span_rows(buffer: np.ndarray, starts: np.ndarray, ends: np.ndarray, digests: np.ndarray) -> None:
    """Write the digest of every span."""
    for k in range(len(starts)):
        digest(buffer, starts[k], ends[k], digests[k])


@compiled
def cut_span_rows(
    buffer: np.ndarray,
    bounds: np.ndarray,
    rows: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    lines: np.ndarray,
    cuts: np.ndarray,
) -> None:
    """Write the bounds of the cut within every span."""
    for k in range(len(rows)):
        row = rows[k]
        cut_bounds(buffer, bounds[row], bounds[row + 1], starts[k], ends[k], lines[k], cuts[k])
