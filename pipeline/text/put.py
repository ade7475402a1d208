"""Bytes written where a kernel's output stands, or only counted."""

from __future__ import annotations

import numpy as np

from pipeline.text.kernel import declare

__all__ = ["put_byte", "put_bytes"]


@declare("int64(uint8[::1], int64, int64, uint8[::1], int64, int64)")
def put_bytes(buffer: np.ndarray, start: int, end: int, output: np.ndarray, at: int, length: int) -> int:
    """Write `buffer[start:end]` behind the `length` bytes that the row has so far, and return its length then.

    Args:
        buffer: Bytes of the column.
        start: The first byte to write.
        end: One past the last one.
        output: Where to write.
        at: Where the row begins in `output`; below 0, nothing is written.
        length: Bytes that the row has so far.
    """
    if at >= 0:
        place = np.uint64(at + length)  # unsigned indices are used as they are, so that bytes are copied in blocks
        first = np.uint64(start)
        for k in range(end - start):
            output[place + np.uint64(k)] = buffer[first + np.uint64(k)]
    return length + end - start


@declare("int64(int64, uint8[::1], int64, int64)")
def put_byte(byte: int, output: np.ndarray, at: int, length: int) -> int:
    """Write one byte; arguments and result as of `put_bytes`."""
    if at >= 0:
        output[at + length] = byte
    return length + 1
