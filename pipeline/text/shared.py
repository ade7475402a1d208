"""Text that many rows share: found by counting windows of bytes, and cut out of each row."""

from __future__ import annotations

import numpy as np

from pipeline.text.hashing import mix
from pipeline.text.kernel import declare, int64
from pipeline.text.normalise import character_width
from pipeline.text.shingles import power
from pipeline.text.sketch import hashed, slide

__all__ = ["FREE", "cut_shared", "tally_windows"]

FREE = np.uint64(0)
"""A slot of a table of windows that holds none; the window whose hash it is counts as the one with hash 1."""


@declare("int64(uint8[::1], int64, int64, int64, int64, uint64[::1], uint32[::1], uint32[::1])")
def tally_windows(
    buffer: np.ndarray,
    start: int,
    end: int,
    width: int,
    row: int,
    table: np.ndarray,
    counts: np.ndarray,
    rows: np.ndarray,
) -> int:
    """Count the row for every different window of bytes in it, and return how many windows were new to the table.

    Args:
        buffer: Bytes of the column; the row is `[start, end)`.
        start: Its first byte.
        end: One past its last byte.
        width: Bytes in a window; a shorter row has none.
        row: The row's number, from 1.
        table: The windows' hashes; a power of two of values, more than there are windows, `FREE` at first.
        counts: How many rows have each, 0 at first.
        rows: The last row that had it, 0 at first.
    """
    if end - start < width:
        return 0
    last = np.uint64(len(table) - 1)
    out = power(width)
    rolling = hashed(buffer, start, width)
    new = 0
    i = start + width
    while True:
        window = mix(rolling) | np.uint64(rolling == FREE)
        slot = window & last
        while table[slot] != FREE and table[slot] != window:
            slot = (slot + np.uint64(1)) & last
        if table[slot] == FREE:
            table[slot] = window
            new += 1
        if rows[slot] != row:
            rows[slot] = row
            counts[slot] += np.uint32(1)
        if i >= end:
            return new
        rolling = slide(rolling, buffer[i - width], buffer[i], out)
        i += 1


@declare("int64(uint8[::1], int64, int64, int64, uint64[::1], uint8[::1], int64)")
def cut_shared(
    buffer: np.ndarray, start: int, end: int, width: int, table: np.ndarray, output: np.ndarray, at: int
) -> int:
    """Write the row without the characters that lie in a shared window, and return its length in bytes.

    One space stands where something was cut, save at the ends and beside another space: a normal form stays one.

    Args:
        buffer: Bytes of the column; the row is `[start, end)`.
        start: Its first byte.
        end: One past its last byte.
        width: Bytes in a window.
        table: The shared windows' hashes by open addressing, as of `tally_windows`, with a `FREE` slot.
        output: Where to write; as many bytes as the row has may be written.
        at: Where in `output`.
    """
    last = np.uint64(len(table) - 1)
    out = power(width)
    whole = end - start >= width
    rolling = hashed(buffer, start, width) if whole else np.uint64(0)
    length = 0
    gap = 0  # something was cut behind the last byte written
    covered = start  # up to where a shared window reaches that begins here or before
    kept = start  # up to where the character that is kept reaches
    for i in range(start, end):
        if i + width <= end:
            window = mix(rolling) | np.uint64(rolling == FREE)
            slot = window & last
            while table[slot] != FREE and table[slot] != window:
                slot = (slot + np.uint64(1)) & last
            if table[slot] == window:
                covered = i + width
            if i + width < end:
                rolling = slide(rolling, buffer[i], buffer[i + width], out)
        byte = int64(buffer[i])
        if i >= kept and i + character_width(byte) > covered:
            kept = i + character_width(byte)
        if i >= kept:
            gap = 1
            continue
        if (gap or byte == 32) and length > 0 and output[at + length - 1] != 32:
            output[at + length] = 32
            length += 1
        gap = 0
        if byte != 32:
            output[at + length] = byte
            length += 1
    return length - 1 if length > 0 and output[at + length - 1] == 32 else length
