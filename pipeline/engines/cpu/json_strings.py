"""The strings of a column of JSON texts: found, decoded into a flat column, and other values put in their place."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.engines import ENTITIES
from pipeline.engines.columns import TextColumn, from_arrow
from pipeline.engines.write import NOTHING, NOWHERE, write_texts
from pipeline.text.json_escapes import decode_string
from pipeline.text.json_strings import find_strings, splice_strings
from pipeline.text.kernel import compiled

__all__ = ["Strings", "decode", "find", "splice"]


class Strings(NamedTuple):
    """Some string literals of a column of JSON texts, row by row, from left to right.

    Attributes:
        starts: int64 (m), where each begins in the column's buffer, after the quote.
        ends: int64 (m), where its closing quote is.
        bounds: int64 (n + 1); text i has the strings `bounds[i]…bounds[i + 1] - 1`.
    """

    starts: np.ndarray
    ends: np.ndarray
    bounds: np.ndarray

    @property
    def rows(self) -> np.ndarray:
        """The text that each string stands in: int64 (m)."""
        return np.repeat(np.arange(len(self.bounds) - 1), np.diff(self.bounds))

    def only(self, chosen: np.ndarray) -> Strings:
        """The strings that are `chosen`, bool (m)."""
        bounds = np.concatenate(([0], np.cumsum(chosen)))[self.bounds]
        return Strings(self.starts[chosen], self.ends[chosen], bounds)


def find(texts: TextColumn, wanted: int) -> Strings:
    """Find the strings that hold an escape, or one of the `wanted` entities without one."""
    bounds = np.zeros(texts.rows + 1, np.int64)
    look = *texts, wanted, np.empty(len(ENTITIES), np.int64), NOTHING
    find_string_rows(*look, NOWHERE, bounds[1:], NOWHERE, NOWHERE)
    np.cumsum(bounds, out=bounds)
    starts, ends = np.empty((2, bounds[-1]), np.int64)
    find_string_rows(*look, bounds, NOWHERE, starts, ends)
    return Strings(starts, ends, bounds)


def decode(texts: TextColumn, strings: Strings) -> pa.LargeStringArray:
    """Decode the strings.

    Returns:
        m texts. They are UTF-8 save for halves of surrogate pairs, which `pipeline.text.json_escapes` describes, so
        they are not for Python's eyes.
    """

    def loop(places: np.ndarray, lengths: np.ndarray, output: np.ndarray) -> None:
        decode_string_rows(texts.buffer, strings.starts, strings.ends, places, lengths, output)

    return write_texts(len(strings.starts), loop)


def splice(texts: TextColumn, strings: Strings, values: pa.LargeStringArray) -> pa.LargeStringArray:
    """Put m new values, decoded ones, in the place of the strings; every other byte stays."""
    new = from_arrow(values)

    def loop(places: np.ndarray, lengths: np.ndarray, output: np.ndarray) -> None:
        splice_string_rows(texts.buffer, texts.bounds, *strings, new.buffer, new.bounds, places, lengths, output)

    return write_texts(texts.rows, loop)


@compiled
def find_string_rows(
    buffer: np.ndarray,
    bounds: np.ndarray,
    wanted: int,
    counts: np.ndarray,
    nothing: np.ndarray,
    places: np.ndarray,
    lengths: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
) -> None:
    """List strings of every JSON text: with empty `places` count them into `lengths`, else write `starts`, `ends`."""
    for row in range(len(bounds) - 1):
        start = bounds[row]
        end = bounds[row + 1]
        if len(places) == 0:
            lengths[row] = find_strings(buffer, start, end, wanted, counts, nothing, starts, ends, -1)
        elif places[row] < places[row + 1]:  # a text without any need not be read again
            find_strings(buffer, start, end, wanted, counts, nothing, starts, ends, places[row])


@compiled
def decode_string_rows(
    buffer: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    places: np.ndarray,
    lengths: np.ndarray,
    output: np.ndarray,
) -> None:
    """Decode JSON strings, one a row: with empty `places` measure the `lengths`, else write."""
    for row in range(len(starts)):
        at = places[row] if len(places) else -1
        length = decode_string(buffer, starts[row], ends[row], output, at)
        if len(places) == 0:
            lengths[row] = length


@compiled
def splice_string_rows(
    buffer: np.ndarray,
    bounds: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    strings: np.ndarray,
    values: np.ndarray,
    value_bounds: np.ndarray,
    places: np.ndarray,
    lengths: np.ndarray,
    output: np.ndarray,
) -> None:
    """Replace the strings `strings[i]…strings[i + 1] - 1` of text i: with empty `places` measure, else write."""
    for row in range(len(bounds) - 1):
        at = places[row] if len(places) else -1
        first = strings[row]
        last = strings[row + 1]
        length = splice_strings(
            buffer, bounds[row], bounds[row + 1], starts, ends, first, last, values, value_bounds, output, at
        )
        if len(places) == 0:
            lengths[row] = length
