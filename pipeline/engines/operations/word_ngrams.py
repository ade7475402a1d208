"""N-grams of words: hashed, put into a table, found in other texts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from pipeline.engines.columns import TextColumn, from_arrow
from pipeline.engines.launch import Out, Scratch, Some, launcher
from pipeline.engines.word_ngrams import FoundNgrams, Ngrams, NgramTable, WordPlaces
from pipeline.text.hashing import table_size
from pipeline.text.kernel import compiled
from pipeline.text.word_ngrams import FACTORS, scan_words

__all__ = ["count_words", "find_ngrams", "hash_ngrams", "ngram_table", "place_words"]

_NO_HASHES = np.empty(0, np.uint64)
_NO_PLACES = np.empty(0, np.int64)


def count_words(texts: pa.LargeStringArray) -> np.ndarray:
    """Count the words of every text: int64 array (n)."""
    return _scan(from_arrow(texts), [], *_no_table(), _NO_PLACES, _NO_HASHES, _NO_PLACES)


def place_words(texts: pa.LargeStringArray) -> WordPlaces:
    """Say where the words of every text stand.

    Args:
        texts: n texts.
    """
    column = from_arrow(texts)
    bounds = _bounds(_scan(column, [], *_no_table(), _NO_PLACES, _NO_HASHES, _NO_PLACES))
    places = np.empty((bounds[-1], 2), np.int64)
    _scan(column, [], *_no_table(), 2 * bounds[:-1], _NO_HASHES, places.reshape(-1))
    return WordPlaces(bounds, places[:, 0], places[:, 1])


def hash_ngrams(texts: pa.LargeStringArray, length: int) -> Ngrams:
    """Hash every n-gram of every text; a shorter text has none.

    Args:
        texts: n texts.
        length: Words of an n-gram.
    """
    column = from_arrow(texts)
    bounds = _bounds(_scan(column, [length], *_no_table(), _NO_PLACES, _NO_HASHES, _NO_PLACES))
    hashes = np.empty((bounds[-1], 2), np.uint64)
    _scan(column, [length], *_no_table(), 2 * bounds[:-1], hashes.reshape(-1), _NO_PLACES)
    return Ngrams(bounds, hashes)


def ngram_table(hashes: np.ndarray, lengths: Sequence[int]) -> tuple[NgramTable, np.ndarray]:
    """Make a table of n-grams.

    Args:
        hashes: uint64 array (m, 2), each pair once.
        lengths: Of how many words any of them are.

    Returns:
        The table, and the slot of every n-gram: int64 array (m).
    """
    slots = table_size(len(hashes)) if len(hashes) else 4
    table = np.zeros(slots, np.uint64), np.zeros(slots, np.uint64)
    places = np.empty(len(hashes), np.int64)
    enter_ngrams(np.ascontiguousarray(hashes), *table, places)
    return NgramTable(np.array(sorted(set(lengths)), np.int64), *table), places


def find_ngrams(texts: pa.LargeStringArray, table: NgramTable) -> FoundNgrams:
    """Find the n-grams of a table in every text.

    Args:
        texts: n texts.
        table: From `ngram_table`; its arrays may be mapped from a file.
    """
    if not len(table.lengths):  # without any, the kernel would read words
        nothing = np.empty(0, np.int64)
        return FoundNgrams(nothing, nothing, nothing, nothing)
    column = from_arrow(texts)
    arrays = _read_only(table.first), _read_only(table.second)
    counts = _scan(column, table.lengths, *arrays, _NO_PLACES, _NO_HASHES, _NO_PLACES)
    # Few texts have any; the others are read once.
    rows = np.flatnonzero(counts)
    bounds = _bounds(counts[rows])
    places = np.empty((bounds[-1], 3), np.int64)
    starts = np.full(column.rows, -1, np.int64)
    starts[rows] = 3 * bounds[:-1]
    if len(rows):
        _scan(column, table.lengths, *arrays, starts, _NO_HASHES, places.reshape(-1))
    return FoundNgrams(np.repeat(rows, np.diff(bounds)), *np.ascontiguousarray(places.T))


def _scan(
    column: TextColumn,
    lengths: Sequence[int] | np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    starts: np.ndarray,
    hashes: np.ndarray,
    places: np.ndarray,
) -> np.ndarray:
    """Run the kernel over every text, or over those whose place to write at is not negative; return its counts."""
    wanted = np.array(lengths, np.int64)
    longest = int(wanted.max(initial=0))
    powers = np.ones((len(wanted), 2), np.uint64)
    for k, length in enumerate(wanted.tolist()):
        powers[k] = [pow(int(factor), length, 1 << 64) for factor in FACTORS]
    ring = Scratch(lambda bytes_: (2 << longest.bit_length(),), np.uint64)
    counts = np.zeros(column.rows, np.int64)
    arguments = *column, wanted, powers.reshape(-1), ring, first, second, starts
    outputs = Some(counts), Out(hashes), Out(places)
    launcher().run(scan_rows, np.diff(column.bounds), *arguments, *outputs)
    return counts


def _bounds(counts: np.ndarray) -> np.ndarray:
    bounds = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=bounds[1:])
    return bounds


def _no_table() -> tuple[np.ndarray, np.ndarray]:
    return _read_only(_NO_HASHES), _read_only(_NO_HASHES)


def _read_only(array: np.ndarray) -> np.ndarray:
    array = np.asarray(array).view()  # a mapped array too is an array like any other
    array.flags.writeable = False  # for Numba it is a type of its own, which would be compiled twice
    return array


@compiled
def scan_rows(
    begin: int,
    stop: int,
    buffer: np.ndarray,
    bounds: np.ndarray,
    lengths: np.ndarray,
    powers: np.ndarray,
    ring: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    starts: np.ndarray,
    counts: np.ndarray,
    hashes: np.ndarray,
    places: np.ndarray,
) -> None:
    """Scan every row: with empty `starts` count, else write from `starts[row]` on, unless it is negative."""
    for row in range(begin, stop):
        at = starts[row] if len(starts) else -1
        if len(starts) and at < 0:
            continue
        counts[row] = scan_words(
            buffer, bounds[row], bounds[row + 1], lengths, powers, ring, first, second, at, hashes, places
        )


@compiled
def enter_ngrams(hashes: np.ndarray, first: np.ndarray, second: np.ndarray, slots: np.ndarray) -> None:
    """Enter n-grams into an empty table, in their order."""
    last = np.uint64(len(first) - 1)
    for k in range(len(hashes)):
        slot = hashes[k, 0] & last
        while first[slot] != np.uint64(0):
            slot = (slot + np.uint64(1)) & last
        first[slot] = hashes[k, 0]
        second[slot] = hashes[k, 1]
        slots[k] = np.int64(slot)
