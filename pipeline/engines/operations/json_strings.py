"""The scalars of a column of JSON texts: found, decoded into a flat column, and other values put in their place."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.engines.columns import TextColumn, from_arrow
from pipeline.engines.launch import Out, launcher
from pipeline.engines.write import NOWHERE, write_texts
from pipeline.text.json_escapes import decode_string
from pipeline.text.json_strings import KEY, STRING, list_scalars, splice_scalars
from pipeline.text.kernel import compiled

__all__ = ["Scalars", "decode", "decode_in_context", "scalars_of", "splice"]

_NO_KINDS = np.empty(0, np.int8)


class Scalars(NamedTuple):
    """Keys, strings and long integers of a column of JSON texts, row by row, from left to right.

    Attributes:
        starts: int64 (m), where each begins in the column's buffer, a string after the quote.
        ends: int64 (m), where it ends, a string at its closing quote.
        kinds: int8 (m), `STRING`, `NUMBER`, `KEY` or `FIRST_KEY` of `pipeline.text.json_strings`.
        owners: int64 (m), of a value: its key, or -1; of a key: its object's first key; of a first key: that of the
            object around it, or -1.
        bounds: int64 (n + 1); text i has the scalars `bounds[i]…bounds[i + 1] - 1`.
    """

    starts: np.ndarray
    ends: np.ndarray
    kinds: np.ndarray
    owners: np.ndarray
    bounds: np.ndarray

    @property
    def rows(self) -> np.ndarray:
        """The text that each scalar stands in: int64 (m)."""
        return np.repeat(np.arange(len(self.bounds) - 1), np.diff(self.bounds))


def scalars_of(texts: TextColumn) -> Scalars:
    """List the scalars in which personal data may stand."""
    bounds = np.zeros(texts.rows + 1, np.int64)
    work, nothing = np.diff(texts.bounds), (NOWHERE, NOWHERE, _NO_KINDS, NOWHERE)
    launcher().run(list_scalar_rows, work, *texts, NOWHERE, Out(bounds[1:]), *nothing)
    np.cumsum(bounds, out=bounds)
    starts, ends, owners = np.empty((3, bounds[-1]), np.int64)
    kinds = np.empty(bounds[-1], np.int8)
    launcher().run(list_scalar_rows, work, *texts, bounds, NOWHERE, *map(Out, (starts, ends, kinds, owners)))
    return Scalars(starts, ends, kinds, owners, bounds)


def decode(texts: TextColumn, scalars: Scalars, chosen: np.ndarray) -> pa.LargeStringArray:
    """Decode some scalars.

    Args:
        texts: The n texts.
        scalars: Their m scalars.
        chosen: Places among them, int64 (k).

    Returns:
        k texts. They are UTF-8 save for halves of surrogate pairs, which `pipeline.text.json_escapes` describes, so
        they are not for Python's eyes.
    """
    starts, ends = scalars.starts[chosen], scalars.ends[chosen]

    def loop(places: np.ndarray, lengths: np.ndarray, output: np.ndarray) -> None:
        measured = places, Out(lengths), Out(output, places)
        launcher().run(decode_scalar_rows, ends - starts, texts.buffer, starts, ends, *measured)

    return write_texts(len(chosen), loop)


def decode_in_context(texts: TextColumn, scalars: Scalars) -> tuple[pa.LargeStringArray, np.ndarray, np.ndarray]:
    """Decode all scalars, values behind their key, which says what they are: `phone": "4155550123"`.

    Returns:
        m texts, as of `decode`; and where in their buffer each scalar's own bytes begin and end: int64 (m) twice.
    """
    heads = np.zeros(len(scalars.starts), np.int64)

    starts, ends, kinds, owners, _ = scalars

    def loop(places: np.ndarray, lengths: np.ndarray, output: np.ndarray) -> None:
        measured = NOWHERE if len(places) else Out(heads), places, Out(lengths), Out(output, places)
        launcher().run(decode_context_rows, ends - starts, texts.buffer, starts, ends, kinds, owners, *measured)

    context = write_texts(len(scalars.starts), loop)
    bounds = from_arrow(context).bounds
    return context, bounds[:-1] + heads, bounds[1:] - ((heads > 0) & (scalars.kinds == STRING))


def splice(texts: TextColumn, scalars: Scalars, chosen: np.ndarray, values: pa.LargeStringArray) -> pa.LargeStringArray:
    """Put new values, decoded ones, in the place of some scalars; every other byte stays.

    Args:
        texts: The n texts.
        scalars: Their m scalars.
        chosen: Places among them in ascending order, int64 (k).
        values: k texts.
    """
    new = from_arrow(values)
    bounds = np.searchsorted(chosen, scalars.bounds)
    some = scalars.starts[chosen], scalars.ends[chosen], scalars.kinds[chosen]
    work = np.diff(texts.bounds)

    def loop(places: np.ndarray, lengths: np.ndarray, output: np.ndarray) -> None:
        launcher().run(splice_scalar_rows, work, *texts, *some, bounds, *new, places, Out(lengths), Out(output, places))

    return write_texts(texts.rows, loop)


@compiled
def list_scalar_rows(
    first: int,
    last: int,
    buffer: np.ndarray,
    bounds: np.ndarray,
    places: np.ndarray,
    lengths: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    kinds: np.ndarray,
    owners: np.ndarray,
) -> None:
    """List the scalars of every JSON text: with empty `places` count them into `lengths`, else write the rest."""
    for row in range(first, last):
        at = places[row] if len(places) else -1
        found = list_scalars(buffer, bounds[row], bounds[row + 1], starts, ends, kinds, owners, at)
        if len(places) == 0:
            lengths[row] = found


@compiled
def decode_scalar_rows(
    first: int,
    last: int,
    buffer: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    places: np.ndarray,
    lengths: np.ndarray,
    output: np.ndarray,
) -> None:
    """Decode JSON strings, one a row: with empty `places` measure the `lengths`, else write."""
    for row in range(first, last):
        at = places[row] if len(places) else -1
        length = decode_string(buffer, starts[row], ends[row], output, at)
        if len(places) == 0:
            lengths[row] = length


@compiled
def decode_context_rows(
    first: int,
    last: int,
    buffer: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    kinds: np.ndarray,
    owners: np.ndarray,
    heads: np.ndarray,
    places: np.ndarray,
    lengths: np.ndarray,
    output: np.ndarray,
) -> None:
    """Decode JSON strings with their keys, one a row: with empty `places` measure `heads` and `lengths`, else write."""
    for row in range(first, last):
        at = places[row] if len(places) else -1
        owner = owners[row]
        quotes = 1 if kinds[row] == STRING else 0
        head = 0
        if kinds[row] < KEY and owner >= 0:
            head = decode_string(buffer, starts[owner], ends[owner], output, at)
            if at >= 0:
                output[at + head] = 34
                output[at + head + 1] = 58
                output[at + head + 2] = 32
                if quotes:
                    output[at + head + 3] = 34
            head += 3 + quotes
        length = head + decode_string(buffer, starts[row], ends[row], output, at + head if at >= 0 else -1)
        if head and quotes:
            if at >= 0:
                output[at + length] = 34
            length += 1
        if len(places) == 0:
            heads[row] = head
            lengths[row] = length


@compiled
def splice_scalar_rows(
    first: int,
    last: int,
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
    for row in range(first, last):
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
