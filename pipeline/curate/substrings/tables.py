"""How many rows have a key, counted without holding all keys.

A *table* has an entry for each place in the rows of each part: a key, the row, and where the place is. `put` writes the
entries of one part, sorted by the first bits of their keys. `count` has tasks count the keys of a share of those bits,
over all parts, and `answers` gives a part the counts of its entries, in the order in which `put` wrote them. Only keys
and row numbers are read by more than one task.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.curate.dedup.work import Map, load, save

__all__ = ["ENTRIES", "EVERYWHERE", "MANY", "Answers", "Table", "answers", "count", "is_there", "places", "put", "rows"]

_SHARES = 1 << 12
"""Shares that a table is written in: the values of a key's first bits."""
ENTRIES = 1 << 21
"""Entries that one task counts: about 200 MB at work."""

EVERYWHERE = np.uint32(0xFFFFFFFF)
"""The row of an entry whose key is known to be in enough rows."""
MANY = np.uint32(0xFFFFFFFF)
"""The count of such a key."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """The files of a table.

    Attributes:
        parts: a prefix for the files of each part.
        starts: the number of each part's first row, over all parts.
        folder: of the counts.
    """

    parts: tuple[Path, ...]
    starts: tuple[int, ...]
    folder: Path


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What is known of a part's entries.

    Attributes:
        counts: uint32 [entries], how many rows have the key.
        firsts: bool [entries], whether the entry is the first with its key, over all parts.
    """

    counts: NDArray[np.uint32]
    firsts: NDArray[np.bool_]


def put(prefix: Path, keys: NDArray[np.uint64], rows: NDArray[np.integer], places: NDArray[np.int64]) -> None:
    """Write the entries of one part.

    Args:
        prefix: of the files.
        keys: [entries, words]; the first word is what entries are shared by.
        rows: [entries], of the part, ascending (`EVERYWHERE` may stand anywhere).
        places: [columns, entries].
    """
    share = (keys[:, 0] >> np.uint64(52)).astype(np.uint16)
    order = np.argsort(share, kind="stable")  # of 16 bits: a radix sort
    save(_file(prefix, "keys"), keys[order])
    save(_file(prefix, "rows"), rows.astype(np.uint32)[order])
    # Half the disk, where it can be: places in a text seldom need more than 32 bits.
    short = places.size == 0 or (places.min() >= 0 and places.max() < 1 << 32)
    save(_file(prefix, "places"), places[:, order].astype(np.uint32 if short else np.int64))
    save(_file(prefix, "offsets"), np.cumsum([0, *np.bincount(share, minlength=_SHARES)]))


def is_there(prefix: Path) -> bool:
    """Whether the part's entries are written."""
    return _file(prefix, "offsets").exists()


def places(prefix: Path) -> NDArray[np.int64]:
    """Where the part's entries are: [columns, entries], in the order of `answers`."""
    return load(_file(prefix, "places")).astype(np.int64)


def rows(prefix: Path) -> NDArray[np.uint32]:
    """The rows of the part's entries: [entries], in the order of `answers`."""
    return load(_file(prefix, "rows"))


def count(table: Table, run: Map, *, entries: int = ENTRIES) -> int:
    """Count the rows of every key.

    Args:
        table: all parts of it are written.
        run: runs tasks.
        entries: that one task counts.

    Returns:
        How many different keys there are.
    """
    total = sum(int(load(_file(part, "offsets"))[-1]) for part in table.parts)
    shares = min(_SHARES, max(1, -(-total // entries)))
    edges = [_SHARES * share // shares for share in range(shares + 1)]
    return sum(run(count_share, [_Count(table=table, low=low, high=high) for low, high in pairwise(edges)]))


def answers(table: Table, number: int) -> Answers:
    """The answers to the entries of a part."""
    found = [np.zeros((2, 0), np.uint32)]
    for path in sorted(table.folder.glob("counts-*.npy")):
        bounds = load(path.with_name(path.name.replace("counts-", "bounds-")))
        found.append(load(path)[:, bounds[number] : bounds[number + 1]])
    both = np.concatenate(found, axis=1)
    return Answers(counts=both[0], firsts=both[1] != 0)


@dataclass(frozen=True, kw_only=True)
class _Count:
    table: Table
    low: int
    high: int


def count_share(job: _Count) -> int:
    """Count the keys of a share, write the answers to its entries, and return how many different keys there are."""
    last = job.table.folder / f"bounds-{job.low:04d}.npy"
    if last.exists():
        return int(load(last)[-1])
    keys, rows, bounds = [], [], [0]
    for prefix, start in zip(job.table.parts, job.table.starts, strict=True):
        offsets = load(_file(prefix, "offsets"))
        here = slice(int(offsets[job.low]), int(offsets[job.high]))
        keys.append(load(_file(prefix, "keys"))[here])
        row = load(_file(prefix, "rows"))[here]
        rows.append(np.where(row == EVERYWHERE, -1, start + row.astype(np.int64)))
        bounds.append(bounds[-1] + len(row))
    found, different = _counts(np.concatenate(keys), np.concatenate(rows))
    save(job.table.folder / f"counts-{job.low:04d}.npy", found)
    save(last, np.array([*bounds, different]))
    return different


def _counts(keys: NDArray[np.uint64], rows: NDArray[np.int64]) -> tuple[NDArray[np.uint32], int]:
    """For every entry how many rows have its key, and whether it is the key's first: uint32 [2, entries]."""
    found = np.zeros((2, len(rows)), np.uint32)
    if not len(rows):
        return found, 0
    order = np.lexsort(keys.T[::-1])  # stable: within a key, rows stay in their order
    keys, rows = keys[order], rows[order]
    fresh = np.ones(len(rows), np.bool_)
    fresh[1:] = (keys[1:] != keys[:-1]).any(axis=1)
    begins = np.flatnonzero(fresh)
    other_row = fresh.copy()
    other_row[1:] |= rows[1:] != rows[:-1]
    counts = np.add.reduceat(other_row.astype(np.uint32), begins)
    counts[np.logical_or.reduceat(rows < 0, begins)] = MANY
    found[0, order] = np.repeat(counts, np.diff([*begins, len(rows)]))
    found[1, order[begins]] = 1
    return found, len(begins)


def _file(prefix: Path, name: str) -> Path:
    return prefix.with_name(f"{prefix.name}-{name}.npy")
