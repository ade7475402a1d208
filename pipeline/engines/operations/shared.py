"""Text that many rows share: counted, and left out."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from pipeline.engines.columns import from_arrow, to_arrow
from pipeline.engines.launch import launcher
from pipeline.text.hashing import table_size
from pipeline.text.kernel import compiled, int64
from pipeline.text.shared import FREE
from pipeline.text.shared import cut_shared as cut_row
from pipeline.text.shared import tally_windows as tally_row

__all__ = ["cut_shared", "tally_windows"]


def tally_windows(normalised: pa.LargeStringArray, *, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Count the rows that have each window of so many bytes.

    Args:
        normalised: n texts from `normalise`.
        width: Bytes in a window.

    Returns:
        uint64 array of the windows' hashes, ascending, each once, and uint32 array: in how many rows each is. In memory
        at once are 32 to 64 bytes for each byte of the texts.
    """
    column = from_arrow(normalised)
    slots = table_size(max(1, int(column.bounds[-1] - column.bounds[0])))
    table, counts, rows = np.full(slots, FREE), np.zeros(slots, np.uint32), np.zeros(slots, np.uint32)
    launcher().leave("one table of windows", column.rows)
    tally_rows(column.buffer, column.bounds, width, table, counts, rows)
    found = np.flatnonzero(counts)
    found = found[np.argsort(table[found])]
    return table[found], counts[found]


def cut_shared(normalised: pa.LargeStringArray, shared: np.ndarray, *, width: int) -> pa.LargeStringArray:
    """Leave out what lies in a shared window, character by character; a space stands between what is left.

    Args:
        normalised: n texts from `normalise`.
        shared: uint64 array of the windows' hashes, from `tally_windows`.
        width: Bytes in a window.

    Returns:
        n texts, normal forms again.
    """
    column = from_arrow(normalised)
    table = np.full(table_size(max(1, len(shared))), FREE)
    enter_all(np.ascontiguousarray(shared, np.uint64), table)
    sizes = np.diff(column.bounds)
    (output,), bounds = launcher().pack(cut_rows, sizes, sizes, [np.uint8], *column, width, table)
    return to_arrow(output, bounds)


@compiled
def tally_rows(
    buffer: np.ndarray, bounds: np.ndarray, width: int, table: np.ndarray, counts: np.ndarray, rows: np.ndarray
) -> None:
    """Count every row."""
    for row in range(len(bounds) - 1):
        tally_row(buffer, bounds[row], bounds[row + 1], width, row + 1, table, counts, rows)


@compiled
def enter_all(hashes: np.ndarray, table: np.ndarray) -> None:
    """Enter the hashes into an empty table."""
    last = np.uint64(len(table) - 1)
    for k in range(len(hashes)):
        slot = hashes[k] & last
        while table[slot] != FREE and table[slot] != hashes[k]:
            slot = (slot + np.uint64(1)) & last
        table[slot] = hashes[k]


@compiled
def cut_rows(
    first: int,
    last: int,
    buffer: np.ndarray,
    bounds: np.ndarray,
    width: int,
    table: np.ndarray,
    places: np.ndarray,
    lengths: np.ndarray,
    output: np.ndarray,
) -> None:
    """Write every row without what is shared; for `Launcher.pack`."""
    at = int64(0)  # not a literal, for which the kernel would be compiled a second time
    for row in range(first, last):
        if len(places):
            at = places[row]
        lengths[row] = cut_row(buffer, bounds[row], bounds[row + 1], width, table, output, at)
        at += lengths[row]
