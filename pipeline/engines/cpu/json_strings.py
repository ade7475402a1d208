"""The scalars of a column of JSON texts: found, decoded into a flat column, and other values put in their place."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.engines.columns import TextColumn, from_arrow
from pipeline.engines.write import NOWHERE, write_texts
from pipeline.text.json_escapes import decode_string
from pipeline.text.json_strings import list_scalars, splice_scalars
from pipeline.text.kernel import compiled

__all__ = ["Scalars", "decode", "scalars_of", "splice"]

_NO_KINDS = np.empty(0, np.int8)


class Scalars(NamedTuple):
    """Keys, strings and long integers of a column of JSON texts, row by row, from left to right.

    Attributes:
        starts: int64 (m), where each begins in the column's buffer, a string after the quote.
        ends: int64 (m), where it ends, a string at its closing quote.
        kinds: int8 (m), `STRING`, `NUMBER`, `KEY` or `FIRST_KEY` of `pipeline.text.json_strings`.
        objects: int64 (m), of a key: its object's first key; of a first key: that of the object around it, or -1.
        bounds: int64 (n + 1); text i has the scalars `bounds[i]…bounds[i + 1] - 1`.
    """

    starts: np.ndarray
    ends: np.ndarray
    kinds: np.ndarray
    objects: np.ndarray
    bounds: np.ndarray

    @property
    def rows(self) -> np.ndarray:
        """The text that each scalar stands in: int64 (m)."""
        return np.repeat(np.arange(len(self.bounds) - 1), np.diff(self.bounds))


def scalars_of(texts: TextColumn) -> Scalars:
    """List the scalars in which personal data may stand."""
    bounds = np.zeros(texts.rows + 1, np.int64)
    list_scalar_rows(*texts, NOWHERE, bounds[1:], NOWHERE, NOWHERE, _NO_KINDS, NOWHERE)
    np.cumsum(bounds, out=bounds)
    starts, ends, objects = np.empty((3, bounds[-1]), np.int64)
    kinds = np.empty(bounds[-1], np.int8)
    list_scalar_rows(*texts, bounds, NOWHERE, starts, ends, kinds, objects)
    return Scalars(starts, ends, kinds, objects, bounds)


def decode(texts: TextColumn, scalars: Scalars) -> pa.LargeStringArray:
    """Decode the scalars.

    Returns:
        m texts. They are UTF-8 save for halves of surrogate pairs, which `pipeline.text.json_escapes` describes, so
        they are not for Python's eyes.
    """

    def loop(places: np.ndarray, lengths: np.ndarray, output: np.ndarray) -> None:
        decode_scalar_rows(texts.buffer, scalars.starts, scalars.ends, places, lengths, output)

    return write_texts(len(scalars.starts), loop)


def splice(texts: TextColumn, scalars: Scalars, chosen: np.ndarray, values: pa.LargeStringArray) -> pa.LargeStringArray:
    """Put new values, decoded ones, in the place of the chosen scalars; every other byte stays.

    Args:
        texts: The n texts.
        scalars: Their m scalars.
        chosen: bool (m).
        values: One text for each chosen scalar.
    """
    new = from_arrow(values)
    bounds = np.concatenate(([0], np.cumsum(chosen)))[scalars.bounds]
    places = scalars.starts[chosen], scalars.ends[chosen], scalars.kinds[chosen]

    def loop(places_: np.ndarray, lengths: np.ndarray, output: np.ndarray) -> None:
        splice_scalar_rows(*texts, *places, bounds, *new, places_, lengths, output)

    return write_texts(texts.rows, loop)


@compiled
def list_scalar_rows(
    buffer: np.ndarray,
    bounds: np.ndarray,
    places: np.ndarray,
    lengths: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    kinds: np.ndarray,
    objects: np.ndarray,
) -> None:
    """List the scalars of every JSON text: with empty `places` count them into `lengths`, else write the rest."""
    for row in range(len(bounds) - 1):
        at = places[row] if len(places) else -1
        found = list_scalars(buffer, bounds[row], bounds[row + 1], starts, ends, kinds, objects, at)
        if len(places) == 0:
            lengths[row] = found


@compiled
def decode_scalar_rows(
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
def splice_scalar_rows(
    buffer: np.ndarray,
    bounds: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    kinds: np.ndarray,
    scalars: np.ndarray,
    values: np.ndarray,
    value_bounds: np.ndarray,
    places: np.ndarray,
    lengths: np.ndarray,
    output: np.ndarray,
) -> None:
    """Replace the scalars `scalars[i]…scalars[i + 1] - 1` of text i: with empty `places` measure, else write."""
    for row in range(len(bounds) - 1):
        at = places[row] if len(places) else -1
        length = splice_scalars(
            buffer,
            bounds[row],
            bounds[row + 1],
            starts,
            ends,
            kinds,
            scalars[row],
            scalars[row + 1],
            values,
            value_bounds,
            output,
            at,
        )
        if len(places) == 0:
            lengths[row] = length
