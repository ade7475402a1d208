"""Records cut out of a stream of chunks, with no more held than one of them and a chunk."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from pipeline.ingest.lines import Lines, too_long

__all__ = ["Scan", "framed"]

Scan = Callable[[bytes, int], tuple[np.ndarray, np.ndarray, int]]
"""A chunk and where it begins → int64 starts and ends of the records that end in it, and where the next one begins."""


def framed(chunks: Iterator[bytes], scan: Scan, *, base: int, first_row: int, max_row_bytes: int) -> Iterator[Lines]:
    """Yield the records that end in each chunk; of one longer than `max_row_bytes` only that it was there.

    Args:
        chunks: bytes that follow each other.
        scan: finds the records.
        base: where the first chunk begins, in the scan's count.
        first_row: the number of the first record.
        max_row_bytes: a longer record is refused, and never held as a whole.
    """
    held, held_at = b"", base  # what the next record begins with
    row = first_row
    for chunk in chunks:
        starts, ends, following = scan(chunk, base)
        buffer = held + chunk if held else chunk
        at = held_at if held else base
        base += len(chunk)
        if len(starts):
            yield _lines(buffer, at, starts, ends, row, max_row_bytes)
            row += len(starts)
        # A record that is already too long is not held on to: where it began is all that its end needs.
        held_at = min(following, base)
        held = buffer[held_at - at :] if base - held_at <= max_row_bytes + 1 and held_at >= at else b""


def _lines(buffer: bytes, at: int, starts: np.ndarray, ends: np.ndarray, row: int, limit: int) -> Lines:
    """The records [starts, ends) of a file, of which `buffer` holds what begins at `at`."""
    lengths = ends - starts
    long = np.flatnonzero((lengths > limit) | (starts < at)).tolist()
    begins, stops = np.maximum(starts - at, 0), ends - at
    stops[long] = begins[long]
    refused = {index: too_long(int(lengths[index]), limit) for index in long}
    buffer = buffer[: int(stops[-1])]  # what follows may end within a character
    return Lines(buffer, row + np.arange(len(starts)), begins, stops, refused, lengths)
