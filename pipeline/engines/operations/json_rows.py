"""Rows of JSON lines whose texts stand under known keys."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.engines.columns import to_arrow
from pipeline.engines.launch import Out, Scratch, launcher
from pipeline.engines.operations.rows import take_rows
from pipeline.engines.plain_lines import PlainLines
from pipeline.text.json_rows import read_texts
from pipeline.text.kernel import compiled, int64

__all__ = ["LEVELS", "MEMBERS", "read_lines"]

MEMBERS = 128
"""Keys that a plain row may have, nested ones counted while their object is open."""
LEVELS = 64
"""Levels of objects and arrays in a plain row."""

_SCRATCH = Scratch(lambda longest: (MEMBERS, 4), np.int64), Scratch(lambda longest: (LEVELS,), np.int64)


def read_lines(buffer: np.ndarray, starts: np.ndarray, ends: np.ndarray, keys: Sequence[bytes]) -> PlainLines:
    """Read the plain ones among some lines, as `pipeline.text.json_rows` does.

    Args:
        buffer: uint8, UTF-8.
        starts: int64 (n), where each line begins.
        ends: int64 (n).
        keys: Under which the texts of a row stand.
    """
    names, bounds = np.frombuffer(b"".join(keys), np.uint8), np.cumsum([0, *map(len, keys)])
    sizes = ends - starts
    plain, inner = np.zeros(len(sizes), np.bool_), np.zeros((len(sizes), len(keys) + 1), np.int64)
    # A text for each key may be one and the same, and the rest is written behind them.
    arguments = buffer, starts, ends, names, bounds, *_SCRATCH, Out(plain), Out(inner)
    (output,), rows = launcher().pack(line_rows, sizes, (len(keys) + 1) * sizes, [np.uint8], *arguments)
    stops = np.column_stack((rows[:-1][plain, None] + inner[plain, 1:], rows[1:][plain]))
    pieces = to_arrow(output, np.concatenate([np.zeros(1, np.int64), stops.reshape(-1)]))
    order = np.arange(stops.size).reshape(stops.shape)
    return PlainLines(plain, take_rows(pieces, order[:, :-1].reshape(-1)), take_rows(pieces, order[:, -1]))


@compiled
def line_rows(
    first: int,
    last: int,
    buffer: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    names: np.ndarray,
    name_bounds: np.ndarray,
    members: np.ndarray,
    levels: np.ndarray,
    plain: np.ndarray,
    inner: np.ndarray,
    places: np.ndarray,
    lengths: np.ndarray,
    output: np.ndarray,
) -> None:
    """Write the texts of every plain row, and its rest behind them; `inner` says where. For `Launcher.pack`."""
    wanted = len(name_bounds) - 1
    at = int64(0)  # not a literal, for which the kernel would be compiled a second time
    for row in range(first, last):
        if len(places):
            at = places[row]
        start = starts[row]
        end = ends[row]
        far = at + wanted * (end - start)
        inner[row, 0] = at
        length = read_texts(buffer, start, end, names, name_bounds, members, levels, output, inner[row], output, far)
        plain[row] = length >= 0
        lengths[row] = 0
        if length >= 0:
            near = inner[row, wanted]
            for k in range(length):
                output[near + k] = output[far + k]
            for k in range(wanted + 1):
                inner[row, k] -= at
            lengths[row] = near - at + length
        at += lengths[row]
