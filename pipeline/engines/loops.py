"""The CPU's launchers: compiled loops that call one kernel on every row.

Each row is computed from its own bytes alone, in scratch that its kernel initialises, so no result depends on the
row's neighbours, on the order of rows, or on the size of a part.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from pipeline.text.bands import band_keys, count_equal
from pipeline.text.characters import needs_normalising
from pipeline.text.controls import remove_controls
from pipeline.text.digest import digest
from pipeline.text.join import join_contents
from pipeline.text.json_escapes import decode_string
from pipeline.text.json_strings import find_strings, splice_strings
from pipeline.text.kernel import compiled
from pipeline.text.newlines import unify_newlines
from pipeline.text.normalise import fold
from pipeline.text.redact import redact
from pipeline.text.signals import measure
from pipeline.text.sketch import sketch
from pipeline.text.whitespace import trim_whitespace

__all__ = [
    "Rewrite",
    "band_rows",
    "decode_string_rows",
    "digest_rows",
    "equal_rows",
    "find_string_rows",
    "flag_rows",
    "join_rows",
    "measure_rows",
    "redact_rows",
    "rewrite_rows",
    "sketch_rows",
    "splice_string_rows",
]


class Rewrite(IntEnum):
    """Kernels that write a row anew and share their arguments."""

    CONTROLS = 0
    NEWLINES = 1
    WHITESPACE = 2
    FOLD = 3


@compiled
def rewrite_rows(
    which: int, buffer: np.ndarray, bounds: np.ndarray, places: np.ndarray, lengths: np.ndarray, output: np.ndarray
) -> None:
    """Run one of `Rewrite`: with empty `places` measure the new `lengths`, else write row i from `places[i]` on."""
    for row in range(len(bounds) - 1):
        start = bounds[row]
        end = bounds[row + 1]
        at = places[row] if len(places) else -1
        if which == 0:
            length = remove_controls(buffer, start, end, output, at)
        elif which == 1:
            length = unify_newlines(buffer, start, end, output, at)
        elif which == 2:
            length = trim_whitespace(buffer, start, end, output, at)
        else:
            length = fold(buffer, start, end, output, at)
        if len(places) == 0:
            lengths[row] = length


@compiled
def redact_rows(
    buffer: np.ndarray,
    bounds: np.ndarray,
    wanted: int,
    places: np.ndarray,
    lengths: np.ndarray,
    counts: np.ndarray,
    output: np.ndarray,
) -> None:
    """Redact every row: with empty `places` measure the `lengths` and add to `counts`, else write."""
    ignored = np.empty(counts.shape[1], np.int64)
    for row in range(len(bounds) - 1):
        measuring = len(places) == 0
        at = -1 if measuring else places[row]
        tally = counts[row] if measuring else ignored
        length = redact(buffer, bounds[row], bounds[row + 1], wanted, tally, output, at)
        if measuring:
            lengths[row] = length


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


@compiled
def join_rows(
    buffer: np.ndarray,
    bounds: np.ndarray,
    lists: np.ndarray,
    places: np.ndarray,
    lengths: np.ndarray,
    output: np.ndarray,
) -> None:
    """Join contents `lists[i]…lists[i + 1] - 1`: with empty `places` measure the `lengths`, else write."""
    for row in range(len(lists) - 1):
        at = places[row] if len(places) else -1
        length = join_contents(buffer, bounds, lists[row], lists[row + 1], output, at)
        if len(places) == 0:
            lengths[row] = length


@compiled
def flag_rows(buffer: np.ndarray, bounds: np.ndarray, lead: int, flags: np.ndarray) -> None:
    """Flag rows that hold a byte of at least `lead`."""
    for row in range(len(bounds) - 1):
        flags[row] = needs_normalising(buffer, bounds[row], bounds[row + 1], lead) != 0


@compiled
def measure_rows(
    buffer: np.ndarray,
    bounds: np.ndarray,
    hashes: np.ndarray,
    lengths: np.ndarray,
    keys: np.ndarray,
    tallies: np.ndarray,
    measures: np.ndarray,
) -> None:
    """Measure every row; the scratch suits the longest."""
    for row in range(len(bounds) - 1):
        measure(buffer, bounds[row], bounds[row + 1], hashes, lengths, keys, tallies, measures[row])


@compiled
def digest_rows(buffer: np.ndarray, bounds: np.ndarray, digests: np.ndarray) -> None:
    """Write the digest of every row, two uint64."""
    for row in range(len(bounds) - 1):
        digest(buffer, bounds[row], bounds[row + 1], digests[row])


@compiled
def sketch_rows(buffer: np.ndarray, bounds: np.ndarray, shingle: int, best: np.ndarray, sketches: np.ndarray) -> None:
    """Write the sketch of every row."""
    for row in range(len(bounds) - 1):
        sketch(buffer, bounds[row], bounds[row + 1], shingle, best, sketches[row])


@compiled
def band_rows(sketches: np.ndarray, rows: int, keys: np.ndarray) -> None:
    """Write the band keys of every sketch."""
    for row in range(len(sketches)):
        band_keys(sketches[row], rows, keys[row])


@compiled
def equal_rows(a: np.ndarray, b: np.ndarray, equal: np.ndarray) -> None:
    """Count the equal values of every pair of sketches."""
    for row in range(len(a)):
        equal[row] = count_equal(a[row], b[row])
