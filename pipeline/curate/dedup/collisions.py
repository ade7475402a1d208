"""Rows whose keys collide, found without holding all keys: they are parted by their first bits, and each part grouped.

A *table* holds one key of every row: the hash of its id, the digest, the hash of the whole sketch, or one band of it.
`scan` reads one part of the rows and writes its keys, each table in the order of the keys' first byte. `collide` takes
the keys with some of those bytes from the files of all parts, and writes the groups of rows that share a key. So
nothing is ever in memory but one part, or one table's share, and the files of one step can be read by any worker.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.curate.dedup.work import Map, load, save
from pipeline.curate.messages import one_array
from pipeline.curate.parquet import read_parquet
from pipeline.engines import Engine, engine_for
from pipeline.text.sketch import EMPTY

__all__ = ["KINDS", "Part", "Scheme", "collisions", "digests_of", "group_keys", "hashes_of", "sketches_of", "tables_of"]

KINDS = ("id", "digest", "sketch", "bands")
"""Of keys."""

_FIRST = 256
"""Shares that a table is written in: the values of a key's first byte."""
_ENTRIES = 1 << 22
"""Keys that one task groups: about 200 MB at work."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """One file of `schema.KEYS`.

    Attributes:
        path: the file.
        start: the number of its first row, over all parts.
        rows: how many it has.
        batch: of the index, counted from 0; -1 for a part of this run.
        documents: the rows themselves, `schema.DOCUMENTS`; None for a part of the index.
        table: what is in the file, where that is in memory.
    """

    path: Path
    start: int
    rows: int
    batch: int = -1
    documents: Path | None = None
    table: pa.Table | None = None

    def read(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Some columns of the file, or all of them."""
        if self.table is None:
            return read_parquet(self.path, columns)
        return self.table.select(columns)


@dataclass(frozen=True, kw_only=True)
class Scheme:
    """What is looked for.

    Attributes:
        exact: whether equal digests are.
        values: in a sketch; 0 where near duplicates are not looked for.
        bands: of a sketch.
        rows: values in a band.
    """

    exact: bool
    values: int = 0
    bands: int = 0
    rows: int = 0

    def tables(self, at_once: int) -> list[tuple[str, range]]:
        """Kinds of keys, and the numbers of their tables, at most `at_once` of the bands together."""
        names = ["id", *(["digest"] if self.exact else []), *(["sketch"] if self.values else [])]
        first, end = len(names), len(names) + self.bands
        bands = [("bands", range(low, min(low + at_once, end))) for low in range(first, end, at_once)]
        return [*((name, range(number, number + 1)) for number, name in enumerate(names)), *bands]


def collisions(
    parts: Sequence[Part], scheme: Scheme, folder: Path, run: Map, *, entries: int = _ENTRIES
) -> dict[str, list[Path]]:
    """Find the rows that share a key.

    Args:
        parts: all rows.
        scheme: the tables.
        folder: for the files between the steps.
        run: runs tasks.
        entries: keys that one task groups.

    Returns:
        For each kind of keys (`id`, `digest`, `sketch`, `bands`) the files of its groups: int64 [2, entries], the
        group's number in that file (ascending) and the row's number.
    """
    total = sum(part.rows for part in parts)
    shares = min(_FIRST, -(-total // entries))
    edges = [_FIRST * share // shares for share in range(shares + 1)] if shares else [0]
    scans = [
        _Scan(part=part, number=number, scheme=scheme, whole=shares == 1, folder=folder / "keys")
        for number, part in enumerate(parts)
    ]
    run(scan, scans)
    at_once = max(1, entries // max(1, total))
    tables = scheme.tables(at_once)
    together = sum(len(numbers) for _, numbers in tables) <= at_once
    jobs = [
        _Collide(tables=tuple(chosen), bytes=(low, high), parts=tuple(parts), folder=folder)
        for chosen in ([tables] if together else [[table] for table in tables])
        for low, high in pairwise(edges)
    ]
    run(collide, jobs)
    groups: dict[str, list[Path]] = {kind: [] for kind in KINDS}
    for job in jobs:
        for kind, path in job.paths.items():
            groups[kind].append(path)
    return groups


@dataclass(frozen=True, kw_only=True)
class _Scan:
    part: Part
    number: int
    scheme: Scheme
    whole: bool  # whether no table is read in shares
    folder: Path


def scan(job: _Scan) -> None:
    """Write the keys of one part, table by table, those with the same first byte together; as it comes, if `whole`."""
    path = job.folder / f"part-{job.number:05d}.npy"
    if path.exists():
        return
    keys, rows, counts = [], [], []
    for key, row in tables_of(job.part, job.scheme, engine_for("cpu")):
        count = np.zeros(_FIRST, np.int64)
        if job.whole:
            count[0] = len(key)
        else:
            first = (key >> np.uint64(56)).astype(np.uint8)
            order = np.argsort(first, kind="stable")  # of bytes: a radix sort
            key, row, count = key[order], row[order], np.bincount(first, minlength=_FIRST)
        keys.append(key)
        rows.append(row)
        counts.append(count)
    save(path, _packed(np.concatenate(keys), np.concatenate(rows), np.concatenate(counts)))


def _packed(keys: NDArray[np.uint64], rows: NDArray[np.uint32], counts: NDArray[np.int64]) -> NDArray[np.uint64]:
    """One array, and so one file, of the keys of all tables, their rows, and how many have each first byte."""
    bounds = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
    rows = np.append(rows, np.zeros(len(rows) % 2, np.uint32))
    return np.concatenate([np.array([len(bounds)], np.uint64), bounds.view(np.uint64), keys, rows.view(np.uint64)])


def _unpacked(packed: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.uint64], NDArray[np.uint32]]:
    """What `_packed` was given, as views: where each table's keys of each first byte begin, the keys, the rows."""
    keys = 1 + int(packed[0])
    bounds = packed[1:keys].view(np.int64)
    rows = keys + int(bounds[-1])
    return bounds, packed[keys:rows], packed[rows:].view(np.uint32)


def tables_of(part: Part, scheme: Scheme, engine: Engine) -> Iterator[tuple[NDArray[np.uint64], NDArray[np.uint32]]]:
    """The keys of every table of one part, and the rows of the part that have them."""
    every = np.arange(part.rows, dtype=np.uint32)
    wanted = {"id": part.batch < 0, "digest": scheme.exact, "sketch": scheme.values > 0}
    columns = part.read([name for name in wanted if wanted[name]])
    if part.batch < 0:
        ids = columns["id"].combine_chunks().cast(pa.large_string())
        yield engine.digest(ids, normalised=True).view(np.uint64)[:, 0], every
    else:  # another batch may use the same names
        yield np.zeros(0, np.uint64), every[:0]
    if scheme.exact:
        yield digests_of(columns["digest"])[:, 0], every
    if scheme.values:
        sketches = sketches_of(columns["sketch"], scheme.values)
        del columns  # or all sketches would be held twice below
        # Texts without a shingle have nothing to be alike in.
        filled = every[sketches[:, 0] != EMPTY]
        sketches = sketches if len(filled) == part.rows else sketches[filled]
        yield hashes_of(sketches, engine)[:, 0], filled
        keys = engine.band_keys(sketches, scheme.bands, scheme.rows)
        for band in range(scheme.bands):
            yield np.ascontiguousarray(keys[:, band]), filled


@dataclass(frozen=True, kw_only=True)
class _Collide:
    tables: tuple[tuple[str, range], ...]  # kind of keys, and the numbers of its tables
    bytes: tuple[int, int]
    parts: tuple[Part, ...]
    folder: Path

    @property
    def paths(self) -> dict[str, Path]:
        """Kind of keys → the file of its groups."""
        return {
            kind: self.folder / f"groups/{kind}-{numbers[0]:03d}-{self.bytes[0]:03d}.npy"
            for kind, numbers in self.tables
        }


def collide(job: _Collide) -> None:
    """Group the keys of some tables whose first byte is in a range."""
    paths = job.paths
    if all(path.exists() for path in paths.values()):
        return
    files = [_unpacked(load(job.folder / f"keys/part-{number:05d}.npy")) for number in range(len(job.parts))]
    for (_, numbers), path in zip(job.tables, paths.values(), strict=True):
        keys, rows = [], []
        # A band's keys hash its number too, so those of several bands do not collide.
        for part, (bounds, key, row) in zip(job.parts, files, strict=True):
            for table in numbers:
                here = slice(*(bounds[table * _FIRST + byte] for byte in job.bytes))
                keys.append(key[here])
                rows.append(part.start + row[here].astype(np.int64))
        save(path, group_keys(np.concatenate(keys), np.concatenate(rows)))


def group_keys(keys: NDArray[np.uint64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows that share a key: [2, entries], groups numbered in the order of their keys, rows in the order given."""
    # Sorting numbers is far faster than sorting positions. So a position takes the place of a key's last bits, and only
    # keys that share the others are looked up.
    low = np.uint64((1 << max(0, len(keys) - 1).bit_length()) - 1)
    ordered = np.sort(keys & ~low | np.arange(len(keys), dtype=np.uint64))
    near = ordered[1:] ^ ordered[:-1] <= low
    member = np.zeros(len(keys), dtype=np.bool_)
    member[1:] = near
    member[:-1] |= near
    at = (ordered[member] & low).astype(np.int64)
    key = keys[at]
    if (key[1:] < key[:-1]).any():
        order = np.argsort(key, kind="stable")
        at, key = at[order], key[order]
    size = np.diff(np.flatnonzero(np.diff(key, prepend=~key[:1], append=~key[-1:])))
    several = size > 1
    return np.stack([np.repeat(np.arange(several.sum()), size[several]), rows[at[np.repeat(several, size)]]])


def digests_of(column: pa.ChunkedArray) -> NDArray[np.uint64]:
    """A column of 16-byte digests as uint64 [rows, 2]."""
    array = pa.concat_arrays([pa.array([], pa.binary(16)), *column.chunks])
    flat = np.frombuffer(array.buffers()[1] or b"", dtype="<u8")
    return flat.reshape(-1, 2)[: len(array)]


def sketches_of(chunks: pa.ChunkedArray, values: int) -> NDArray[np.uint32]:
    """A column of sketches: [rows, values]; of a row without one all values are `EMPTY`."""
    column = one_array(chunks)
    flat: NDArray[np.uint32]
    if pa.types.is_list(column.type):  # of an index of format 3
        flat = column.flatten().to_numpy()
    else:
        _, bounds, held = column.buffers()
        ends = np.frombuffer(bounds, np.int64)[column.offset :][: len(column) + 1]
        flat = np.frombuffer(held or b"", "<u4")[int(ends[0]) // 4 : int(ends[-1]) // 4]
    if not column.null_count:
        return flat.reshape(len(column), values)
    sketches = np.full((len(column), values), EMPTY)
    sketches[column.is_valid().to_numpy(zero_copy_only=False)] = flat.reshape(-1, values)
    return sketches


def hashes_of(sketches: NDArray[np.uint32], engine: Engine | None = None) -> NDArray[np.uint64]:
    """A 128-bit hash of every sketch: [rows, 2]."""
    flat = np.ascontiguousarray(sketches)
    bounds = np.arange(len(flat) + 1, dtype=np.int64) * flat.shape[1] * flat.itemsize
    # The kernel reads bytes, whatever they mean.
    column = pa.LargeStringArray.from_buffers(len(flat), pa.py_buffer(bounds), pa.py_buffer(flat))
    return (engine or engine_for("cpu")).digest(column, normalised=True).view(np.uint64)
