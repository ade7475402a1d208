"""What makes texts comparable: normal form, digest, sketch, bands."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pyarrow as pa

from pipeline.engines.columns import TextColumn, from_arrow, to_arrow
from pipeline.engines.launch import Out, Scratch, bounds_of, launcher
from pipeline.engines.normal_forms import normal_form
from pipeline.text.bands import band_keys as band_keys_of
from pipeline.text.bands import count_equal
from pipeline.text.digest import digest as digest_row
from pipeline.text.kernel import compiled, int64
from pipeline.text.normalise import GROWTH, fold, needs_tables
from pipeline.text.segments import character_start, fold_segment, segment_end, token_start
from pipeline.text.shingles import CHARACTERS, SCRATCH, WORDS, write_shingles
from pipeline.text.sketch import EMPTY, FREE, LOW, MIXED, TABLE
from pipeline.text.sketch import sketch as sketch_row

__all__ = ["band_keys", "combine", "digest", "fingerprints", "normalise", "shingles", "similarity", "sketch"]

Unit = Literal["characters", "words"]
UNITS = {"characters": CHARACTERS, "words": WORDS}

SPILL = 4
"""Bytes that the normal form of a segment may be of beyond its own: the rest of a character, and a space."""


def normalise(texts: pa.LargeStringArray) -> pa.LargeStringArray:
    """Bring every text into the normal form of which digests and sketches are taken.

    `pipeline.text.normalise` says what it is.

    Args:
        texts: n texts.

    Returns:
        n texts.
    """
    return to_arrow(*_normal(texts, stays=False))


def _normal(texts: pa.LargeStringArray, *, stays: bool) -> TextColumn:
    """The normal forms; if only loops read them, their buffer may be what an engine keeps elsewhere."""
    column = from_arrow(texts)
    lengths = np.diff(column.bounds)
    segments = launcher().cut(lengths)
    work = segments.work(lengths)
    flags = np.empty(len(work), np.bool_)
    launcher().run(flag_rows, work, *column, *segments.places, Out(flags), segments=segments)
    flags = segments.either(flags)
    launcher().leave("normal forms", int(flags.sum()))
    others = from_arrow(normal_form(texts if flags.all() else texts.filter(pa.array(flags)), "NFKC"))
    lengths[flags] = np.diff(others.bounds)
    segments = launcher().cut(lengths)
    work = segments.work(lengths)
    room = np.where(flags, GROWTH, 1)
    room = room[segments.rows] * (work + SPILL) if len(segments.rows) else room * work
    places = np.full(column.rows, -1, np.int64)
    places[flags] = np.arange(others.rows)
    arguments = *column, *others, places, *segments.places
    (output,), bounds = launcher().pack(fold_rows, work, room, [np.uint8], *arguments, stays=stays, segments=segments)
    for array in (output, bounds) if isinstance(output, np.ndarray) else (bounds,):
        array.flags.writeable = False  # as of any column: for Numba that is a type of its own
    return TextColumn(output, bounds)


def fingerprints(
    texts: pa.LargeStringArray, *, digests: bool, values: int = 0, shingle: int = 5, unit: Unit = "characters"
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Take digests, sketches or both of normal forms that nobody else needs.

    Args:
        texts: n texts.
        digests: Whether `digest` is wanted.
        values: As of `sketch`; 0 where no sketch is wanted.
        shingle: As of `sketch`.
        unit: As of `sketch`.

    Returns:
        What `digest` and `sketch` return, or None.
    """
    normal = _normal(texts, stays=True)
    return _digests(normal) if digests else None, _sketches(normal, values, shingle, unit) if values else None


def digest(texts: pa.LargeStringArray, *, normalised: bool = False) -> np.ndarray:
    """Take the 128-bit digest (MurmurHash3_x64_128) of every text's normal form.

    Args:
        texts: n texts.
        normalised: They come from `normalise` already.

    Returns:
        uint8 array (n, 16).
    """
    return _digests(from_arrow(texts) if normalised else _normal(texts, stays=True))


def _digests(column: TextColumn) -> np.ndarray:
    digests = np.empty((column.rows, 2), np.uint64)
    launcher().run(digest_rows, np.diff(column.bounds), *column, Out(digests))
    return digests.astype("<u8", copy=False).view(np.uint8)


def combine(digests: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    """Take one digest of each run of digests.

    Args:
        digests: uint8 array (m, 16).
        bounds: int64 array (n + 1); run i is `digests[bounds[i]:bounds[i + 1]]`.

    Returns:
        uint8 array (n, 16): the digests of the runs' bytes.
    """
    buffer = np.ascontiguousarray(digests).reshape(-1)
    buffer = buffer.view()
    buffer.flags.writeable = False  # as a column is; a writable array would be compiled for a second time
    places = 16 * bounds
    places.flags.writeable = False
    combined = np.empty((len(bounds) - 1, 2), np.uint64)
    launcher().run(digest_rows, np.diff(places), buffer, places, Out(combined))
    return combined.astype("<u8", copy=False).view(np.uint8)


def sketch(
    normalised: pa.LargeStringArray,
    *,
    values: int = 128,
    shingle: int = 5,
    unit: Unit = "characters",
) -> np.ndarray:
    """Take the sketch of every text.

    Args:
        normalised: n texts from `normalise`.
        values: K, how many values a sketch has.
        shingle: Characters (code points) or words in a shingle.
        unit: Which of them.

    Returns:
        uint32 array (n, K); every value of `""` is `pipeline.text.sketch.EMPTY`.
    """
    return _sketches(from_arrow(normalised), values, shingle, unit)


def _sketches(column: TextColumn, values: int, shingle: int, unit: Unit) -> np.ndarray:
    sketches = np.empty((column.rows, values), np.uint32)
    lengths = np.diff(column.bounds)
    segments = launcher().cut(lengths)
    cut = segments.cut
    merged = bounds_of(np.diff(segments.firsts)[cut])  # where those of each row that is cut begin
    bests = np.empty((merged[-1], values), np.uint64)
    slots = np.full(len(segments.rows), -1, np.int64)
    slots[np.isin(segments.rows, cut)] = np.arange(len(bests))
    scratch = (_words(size) for size in (shingle + SCRATCH, TABLE, 1 if launcher().parallel else MIXED, values))
    arguments = *column, *segments.places, slots, UNITS[unit], shingle, *scratch
    work = segments.work(lengths)
    launcher().run(sketch_rows, work, *arguments, Out(bests), Out(sketches), segments=segments)
    if len(cut):  # as few bytes as the sketches of many short rows, so they are merged here
        best = np.minimum.reduceat(bests, merged[:-1])
        sketches[cut] = np.where(best == FREE, EMPTY, np.minimum(best & LOW, LOW - 1))
    return sketches


def shingles(
    normalised: pa.LargeStringArray, *, shingle: int = 5, unit: Unit = "characters"
) -> tuple[np.ndarray, np.ndarray]:
    """Take the set of shingles of every text, as 64-bit hashes: equal shingles have equal ones, of others hardly any.

    Args:
        normalised: n texts from `normalise`.
        shingle: Characters (code points) or words in a shingle.
        unit: Which of them.

    Returns:
        uint64 array of hashes, and int64 array (n + 1): the set of row i is `hashes[bounds[i]:bounds[i + 1]]`,
        ascending, each once. In memory at once are 16 bytes for each byte of the texts.
    """
    column = from_arrow(normalised)
    sizes = np.diff(column.bounds)
    segments = launcher().cut(sizes)
    work = segments.work(sizes)
    arguments = *column, *segments.places, UNITS[unit], shingle, _words(shingle + SCRATCH)
    (hashes,), bounds = launcher().pack(shingle_rows, work, work, [np.uint64], *arguments, segments=segments)
    row = np.repeat(np.arange(column.rows), np.diff(bounds))
    order = np.argsort(hashes)
    order = order[np.argsort(row[order], kind="stable")]
    hashes = hashes[order]
    fresh = np.ones(len(hashes), np.bool_)
    fresh[1:] = (hashes[1:] != hashes[:-1]) | (row[1:] != row[:-1])  # the rows are in order, so `row` still holds
    return hashes[fresh], np.concatenate([[0], np.cumsum(fresh)])[bounds]


def similarity(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Estimate the Jaccard similarity of pairs of texts: the share of values that their sketches have in common.

    Args:
        a: uint32 array (n, K).
        b: uint32 array (n, K).

    Returns:
        float64 array (n). The error has a standard deviation of about sqrt(J (1 - J) / K).

    Raises:
        ValueError: The shapes differ.
    """
    if a.shape != b.shape:
        raise ValueError(f"sketches of shape {a.shape} and {b.shape} cannot be compared")
    equal = np.empty(len(a), np.int64)
    pairs = np.ascontiguousarray(a, np.uint32), np.ascontiguousarray(b, np.uint32)
    launcher().run(equal_rows, np.full(len(a), 8 * a.shape[1]), *pairs, Out(equal))
    share: np.ndarray = equal / max(a.shape[1], 1)
    return share


def band_keys(sketches: np.ndarray, bands: int, rows: int) -> np.ndarray:
    """Hash the bands of every sketch.

    Args:
        sketches: uint32 array (n, K).
        bands: How many bands.
        rows: Values in a band; bands × rows is at most K.

    Returns:
        uint64 array (n, bands). Two texts agree on a band of r rows with probability J^r.

    Raises:
        ValueError: The sketches are too short.
    """
    if bands * rows > sketches.shape[1]:
        raise ValueError(f"{bands} bands of {rows} rows need more than the {sketches.shape[1]} values of a sketch")
    keys = np.empty((len(sketches), bands), np.uint64)
    values = np.ascontiguousarray(sketches, np.uint32)
    launcher().run(band_rows, np.full(len(keys), 4 * bands * rows), values, rows, Out(keys))
    return keys


def _words(size: int) -> Scratch:
    return Scratch(lambda longest: (size,), np.uint64)


@compiled
def digest_rows(first: int, last: int, buffer: np.ndarray, bounds: np.ndarray, digests: np.ndarray) -> None:
    """Write the digest of every row, two uint64."""
    for row in range(first, last):
        digest_row(buffer, bounds[row], bounds[row + 1], digests[row])


@compiled
def flag_rows(
    first: int,
    last: int,
    buffer: np.ndarray,
    bounds: np.ndarray,
    rows: np.ndarray,
    lows: np.ndarray,
    highs: np.ndarray,
    flags: np.ndarray,
) -> None:
    """Flag the rows, or their `Segments`, that `fold` does not know the normal form of."""
    for k in range(first, last):
        row = rows[k] if len(rows) else k
        start = bounds[row]
        end = bounds[row + 1]
        if len(rows):
            begin = token_start(buffer, start, start + lows[k], end, CHARACTERS)
            flags[k] = needs_tables(buffer, begin, character_start(buffer, start + highs[k], end)) != 0
        else:
            flags[k] = needs_tables(buffer, start, end) != 0


@compiled
def fold_rows(
    first: int,
    last: int,
    buffer: np.ndarray,
    bounds: np.ndarray,
    others: np.ndarray,
    other_bounds: np.ndarray,
    which: np.ndarray,
    rows: np.ndarray,
    lows: np.ndarray,
    highs: np.ndarray,
    places: np.ndarray,
    lengths: np.ndarray,
    output: np.ndarray,
) -> None:
    """Write the normal form of every row, of one whose `which` is not negative from `others`; for `Launcher.pack`.

    Of rows that are cut, that of each of the `Segments`.
    """
    at = int64(0)  # not a literal, for which the kernel would be compiled a second time
    for k in range(first, last):
        if len(places):
            at = places[k]
        row = rows[k] if len(rows) else k
        other = which[row]
        source = others if other >= 0 else buffer
        start = other_bounds[other] if other >= 0 else bounds[row]
        end = other_bounds[other + 1] if other >= 0 else bounds[row + 1]
        if len(rows) and highs[k] - lows[k] < end - start:
            lengths[k] = fold_segment(source, start + lows[k], start + highs[k], end, output, at)
        else:
            lengths[k] = fold(source, start, end, output, at)
        at += lengths[k]


@compiled
def sketch_rows(
    first: int,
    last: int,
    buffer: np.ndarray,
    bounds: np.ndarray,
    rows: np.ndarray,
    lows: np.ndarray,
    highs: np.ndarray,
    slots: np.ndarray,
    unit: int,
    width: int,
    window: np.ndarray,
    table: np.ndarray,
    mixed: np.ndarray,
    best: np.ndarray,
    bests: np.ndarray,
    sketches: np.ndarray,
) -> None:
    """Write the sketch of every row; of one that is cut, what its `Segments` are to be merged by, each in its slot."""
    for k in range(first, last):
        row = rows[k] if len(rows) else k
        start = bounds[row]
        end = bounds[row + 1]
        values = sketches[row]
        if len(rows) and slots[k] >= 0:
            high = start + highs[k]
            begin = token_start(buffer, start, start + lows[k], high, unit)
            stop = segment_end(buffer, start, begin, high, end, unit, width)
            sketch_row(buffer, begin, stop, unit, width, window, table, mixed, bests[slots[k]], values[:0])
        else:
            sketch_row(buffer, start, end, unit, width, window, table, mixed, best, values)


@compiled
def shingle_rows(
    first: int,
    last: int,
    buffer: np.ndarray,
    bounds: np.ndarray,
    rows: np.ndarray,
    lows: np.ndarray,
    highs: np.ndarray,
    unit: int,
    width: int,
    window: np.ndarray,
    places: np.ndarray,
    lengths: np.ndarray,
    hashes: np.ndarray,
) -> None:
    """Write the hashes of the shingles of every row, or of its `Segments`; for `Launcher.pack`."""
    at = int64(0)  # not a literal, for which the kernel would be compiled a second time
    for k in range(first, last):
        if len(places):
            at = places[k]
        row = rows[k] if len(rows) else k
        start = bounds[row]
        begin = start
        stop = bounds[row + 1]
        if len(rows):
            high = start + highs[k]
            begin = token_start(buffer, start, start + lows[k], high, unit)
            stop = segment_end(buffer, start, begin, high, stop, unit, width)
        lengths[k] = write_shingles(buffer, begin, stop, unit, width, window, hashes, at)
        at += lengths[k]


@compiled
def band_rows(first: int, last: int, sketches: np.ndarray, rows: int, keys: np.ndarray) -> None:
    """Write the band keys of every sketch."""
    for row in range(first, last):
        band_keys_of(sketches[row], rows, keys[row])


@compiled
def equal_rows(first: int, last: int, a: np.ndarray, b: np.ndarray, equal: np.ndarray) -> None:
    """Count the equal values of every pair of sketches."""
    for row in range(first, last):
        equal[row] = count_equal(a[row], b[row])
