"""The strings of a column of JSON texts: found, decoded into a flat column, and other values put in their place."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.engines import ENTITIES, loops
from pipeline.engines.columns import TextColumn, from_arrow
from pipeline.engines.write import NOTHING, NOWHERE, write_texts

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
    loops.find_string_rows(*look, NOWHERE, bounds[1:], NOWHERE, NOWHERE)
    np.cumsum(bounds, out=bounds)
    starts, ends = np.empty((2, bounds[-1]), np.int64)
    loops.find_string_rows(*look, bounds, NOWHERE, starts, ends)
    return Strings(starts, ends, bounds)


def decode(texts: TextColumn, strings: Strings) -> pa.LargeStringArray:
    """Decode the strings.

    Returns:
        m texts. They are UTF-8 save for halves of surrogate pairs, which `pipeline.text.json_escapes` describes, so
        they are not for Python's eyes.
    """

    def loop(places: np.ndarray, lengths: np.ndarray, output: np.ndarray) -> None:
        loops.decode_string_rows(texts.buffer, strings.starts, strings.ends, places, lengths, output)

    return write_texts(len(strings.starts), loop)


def splice(texts: TextColumn, strings: Strings, values: pa.LargeStringArray) -> pa.LargeStringArray:
    """Put m new values, decoded ones, in the place of the strings; every other byte stays."""
    new = from_arrow(values)

    def loop(places: np.ndarray, lengths: np.ndarray, output: np.ndarray) -> None:
        loops.splice_string_rows(texts.buffer, texts.bounds, *strings, new.buffer, new.bounds, places, lengths, output)

    return write_texts(texts.rows, loop)
