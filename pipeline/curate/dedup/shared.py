"""Text that many rows share (`fuzzy.ignore_shared`) is found by counting, and left out before rows are sketched.

    draw → count → find → sketch

The count is of windows of `WIDTH` bytes of the normal form, in a sample of the rows: those with the smallest digests,
each content once, so that it depends on no part and no order of rows. A part is read for the rows of the sample, and
once more for its sketches; what passes between parts are hashes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.config import Fuzzy
from pipeline.curate.dedup.collisions import Part, digests_of
from pipeline.curate.dedup.texts import On, read_texts
from pipeline.curate.dedup.work import Map, load, save
from pipeline.curate.keys import sketch_column
from pipeline.curate.parquet import write_parquet
from pipeline.engines import Engine, engine_for
from pipeline.schema import KEYS

__all__ = ["WIDTH", "cut_texts", "find_shared", "sketched"]

WIDTH = 16
"""Bytes in a window: long enough that other texts hardly have one in common, short enough to find a template between
the things that are put into it."""
ROWS = 1 << 14
"""Rows in the sample, so that a share is off by less than 0.4 %."""
CHARACTERS = 1 << 26
"""In the sample's rows together."""
LONGEST = 1 << 20
"""Characters of a row in the sample: what is counted at once is bounded, and of a longer row a template is little."""
LEAST = 10
"""Rows that have a shared text: a few copies of one row among few rows are duplicates, no template."""

_SLICE = 4 << 20
"""Bytes of texts that are counted at once: about 250 MB at work."""
_RANGES = 16
"""In which the counts of all slices are put together."""


def find_shared(parts: Sequence[Part], share: float, on: On, folder: Path, run: Map) -> Path:
    """Find the windows that more than a share of the rows have.

    Args:
        parts: the run's own rows.
        share: of the rows of the sample.
        on: the part of a row that is compared.
        folder: for the files between the steps.
        run: runs tasks.

    Returns:
        A file of their hashes: uint64, ascending.
    """
    last = folder / "shared.npy"
    drawn = [_Draw(part=part, path=folder / f"drawn-{number:05d}.npy") for number, part in enumerate(parts)]
    run(draw, drawn)
    chosen = _sample([load(job.path) for job in drawn])
    jobs = [
        _Count(part=part, rows=rows, on=on, folder=folder, number=number)
        for number, (part, rows) in enumerate(zip(parts, chosen, strict=True))
        if len(rows)
    ]
    slices = run(count, jobs)
    if last.exists():
        return last
    files = [job.slice(number) for job, many in zip(jobs, slices, strict=True) for number in range(many)]
    rows = sum(len(rows) for rows in chosen)
    save(last, _above([load(path) for path in files], max(int(share * rows) + 1, LEAST)))
    return last


@dataclass(frozen=True, kw_only=True)
class _Draw:
    part: Part
    path: Path


def draw(job: _Draw) -> None:
    """Write the rows of one part that may be in the sample: int64 [4, rows], digest (two), length, row."""
    if job.path.exists():
        return
    table = pq.read_table(job.part.path, columns=["digest", "length"])
    digests = digests_of(table["digest"]).view(np.int64)
    found = np.stack([*digests.T, table["length"].to_numpy(), np.arange(len(table))])
    found = found[:, found[2] <= LONGEST]
    save(job.path, found[:, _smallest(found)])


def _smallest(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """The places of the smallest digests, each once: of copies the longest row, so that the sum of lengths is sure."""
    order = np.lexsort((-rows[2], rows[1], rows[0]))
    fresh = np.ones(len(order), np.bool_)
    fresh[1:] = (rows[:2, order[1:]] != rows[:2, order[:-1]]).any(axis=0)
    return order[fresh][:ROWS]


def _sample(drawn: Sequence[NDArray[np.int64]]) -> list[NDArray[np.int64]]:
    """The rows of each part that are in the sample, ascending."""
    part = np.repeat(np.arange(len(drawn)), [rows.shape[1] for rows in drawn])
    rows = np.concatenate([np.zeros((4, 0), np.int64), *drawn], axis=1)
    chosen = _smallest(rows)
    before = np.cumsum(rows[2, chosen]) - rows[2, chosen]
    chosen = chosen[before < CHARACTERS]
    return [np.sort(rows[3, chosen[part[chosen] == number]]) for number in range(len(drawn))]


@dataclass(frozen=True, kw_only=True)
class _Count:
    part: Part
    rows: NDArray[np.int64]
    on: On
    folder: Path
    number: int

    def slice(self, number: int) -> Path:
        return self.folder / f"counts-{self.number:05d}-{number:05d}.npy"


def count(job: _Count) -> int:
    """Count the windows of a part's rows, and write them slice by slice: uint64 [2, windows], hash and rows.

    Returns:
        How many slices there are.
    """
    last = job.folder / f"counted-{job.number:05d}.npy"
    if last.exists():
        return int(load(last)[0])
    assert job.part.documents is not None
    engine, slices = engine_for("cpu"), 0
    for _, texts in read_texts(job.part.documents, job.rows, job.on, engine, slice_bytes=_SLICE):
        save(job.slice(slices), np.stack(engine.tally_windows(texts, width=WIDTH)).astype(np.uint64))
        slices += 1
    save(last, np.array([slices]))
    return slices


def _above(counts: Sequence[NDArray[np.uint64]], least: int) -> NDArray[np.uint64]:
    """The windows that so many rows have or more, ascending."""
    found = [np.zeros(0, np.uint64)]
    bounds = np.array([share * 2**64 // _RANGES for share in range(1, _RANGES)], np.uint64)
    cuts = [[0, *np.searchsorted(file[0], bounds), file.shape[1]] for file in counts]
    for i in range(_RANGES if counts else 0):
        hashes, rows = np.concatenate(
            [file[:, cut[i] : cut[i + 1]] for file, cut in zip(counts, cuts, strict=True)], axis=1
        )
        order = np.argsort(hashes)
        hashes, rows = hashes[order], rows[order]
        first = np.flatnonzero(np.diff(hashes, prepend=~hashes[:1]))
        if len(first):
            found.append(hashes[first][np.add.reduceat(rows, first) >= least])
    return np.concatenate(found)


def sketched(
    parts: Sequence[Part], shared: Path, fuzzy: Fuzzy, on: On, folder: Path, run: Map
) -> tuple[list[Part], tuple[int, int]]:
    """Sketch the rows of all parts without the shared text.

    Args:
        parts: the run's own rows.
        shared: file of `find_shared`.
        fuzzy: section of the recipe.
        on: the part of a row that is compared.
        folder: for the new keys.
        run: runs tasks.

    Returns:
        The parts with keys that have sketches, and how many bytes of normal form there are, with and without.
    """
    jobs = [_Sketch(part=part, shared=shared, fuzzy=fuzzy, on=on, path=folder / part.path.name) for part in parts]
    sizes = np.sum([(0, 0), *run(sketch, jobs)], axis=0)
    new = [replace(part, path=job.path) for part, job in zip(parts, jobs, strict=True)]
    return new, (int(sizes[0]), int(sizes[1]))


@dataclass(frozen=True, kw_only=True)
class _Sketch:
    part: Part
    shared: Path
    fuzzy: Fuzzy
    on: On
    path: Path


def sketch(job: _Sketch) -> tuple[int, int]:
    """Write one part's keys with sketches; return the bytes of its normal forms, with the shared text and without."""
    last = job.path.with_suffix(".npy")
    if not last.exists():
        assert job.part.documents is not None
        engine, fuzzy = engine_for("cpu"), job.fuzzy
        sketches = np.empty((job.part.rows, fuzzy.sketch), np.uint32)
        whole = left = 0
        every = np.arange(job.part.rows)
        for here, texts in read_texts(job.part.documents, every, job.on, engine, slice_bytes=_SLICE):
            own = cut_texts(texts, job.shared, engine)
            sketches[here] = engine.sketch(
                own, values=fuzzy.sketch, shingle=fuzzy.shingle.width, unit=fuzzy.shingle.unit
            )
            whole, left = whole + _bytes(texts), left + _bytes(own)
        keys = pq.read_table(job.part.path)
        place = keys.schema.get_field_index("sketch")
        write_parquet(job.path, keys.set_column(place, KEYS.field("sketch"), sketch_column(sketches)), KEYS)
        save(last, np.array([whole, left]))
    whole, left = load(last).tolist()
    return whole, left


def cut_texts(texts: pa.LargeStringArray, shared: Path | None, engine: Engine) -> pa.LargeStringArray:
    """Leave out what is shared, where something is."""
    return texts if shared is None else engine.cut_shared(texts, np.asarray(load(shared)), width=WIDTH)


def _bytes(texts: pa.LargeStringArray) -> int:
    return pc.sum(pc.binary_length(texts)).as_py() or 0
