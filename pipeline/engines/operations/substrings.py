"""Substrings that many texts share: where windows have one anchor, digests of spans, and bounds of cuts."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from pipeline.engines.columns import from_arrow
from pipeline.engines.launch import Out, Scratch, launcher
from pipeline.engines.stretches import Stretches
from pipeline.text.cutting import cut_bounds
from pipeline.text.digest import digest
from pipeline.text.kernel import compiled, int64
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
    ring = Scratch(lambda longest: (1 << (length - block).bit_length(),), np.uint64)
    kinds = np.uint64, np.int64, np.int64
    found = [Stretches(*(np.zeros(0, kind) for kind in (np.uint64, np.int64, np.int64, np.int64)))]
    low = 0
    while low < column.rows:
        high = int(np.searchsorted(column.bounds, column.bounds[low] + _SLICE, "right")) - 1
        high = min(max(high, low + 1), column.rows)
        room = np.diff(column.bounds[low : high + 1])
        arguments = *column, low, length, block, ring
        (keys, firsts, counts), bounds = launcher().pack(stretch_rows, room, room, kinds, *arguments)
        rows = np.repeat(np.arange(low, high), np.diff(bounds))
        found.append(Stretches(keys.copy(), rows, firsts.copy(), counts.copy()))
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
    launcher().run(digest_span_rows, ends - starts, from_arrow(texts).buffer, starts, ends, Out(digests))
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
    launcher().run(cut_span_rows, ends - starts, *column, rows, starts, ends, lines.astype(np.int64), Out(bounds))
    return np.ascontiguousarray(bounds[:, 0]), np.ascontiguousarray(bounds[:, 1])


@compiled
def stretch_rows(
    first: int,
    last: int,
    buffer: np.ndarray,
    bounds: np.ndarray,
    low: int,
    length: int,
    block: int,
    ring: np.ndarray,
    places: np.ndarray,
    lengths: np.ndarray,
    keys: np.ndarray,
    firsts: np.ndarray,
    counts: np.ndarray,
) -> None:
    """Write the stretches of the rows from `low` on; for `Launcher.pack`."""
    at = int64(0)  # not a literal, for which the kernel would be compiled a second time
    for k in range(first, last):
        if len(places):
            at = places[k]
        start = bounds[low + k]
        end = bounds[low + k + 1]
        lengths[k] = stretches_of(buffer, start, end, length, block, ring, keys, firsts, counts, at)
        at += lengths[k]


@compiled
def digest_span_rows(
    first: int, last: int, buffer: np.ndarray, starts: np.ndarray, ends: np.ndarray, digests: np.ndarray
) -> None:
    """Write the digest of every span."""
    for k in range(first, last):
        digest(buffer, starts[k], ends[k], digests[k])


@compiled
def cut_span_rows(
    first: int,
    last: int,
    buffer: np.ndarray,
    bounds: np.ndarray,
    rows: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    lines: np.ndarray,
    cuts: np.ndarray,
) -> None:
    """Write the bounds of the cut within every span."""
    for k in range(first, last):
        row = rows[k]
        cut_bounds(buffer, bounds[row], bounds[row + 1], starts[k], ends[k], lines[k], cuts[k])
