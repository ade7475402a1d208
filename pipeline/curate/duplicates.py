"""Between the passes: digests and sketches of all parts meet; every row gets a survivor and a cluster.

The survivor order is total and independent of parts and workers: source priority (higher first), length in characters
(longer first), then the order of rows in the sources.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.cluster import result_of
from pipeline.config import Fuzzy, Recipe
from pipeline.curate.bands import lower_threshold, optimal_bands
from pipeline.curate.parquet import write_parquet
from pipeline.curate.stars import stars
from pipeline.engines import engine_for
from pipeline.errors import InputError
from pipeline.progress import Progress
from pipeline.run import Manifest, Rows, RunDirectory, Stage
from pipeline.schema import KEYS

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["DECISIONS", "run_stage", "stage"]

VERSION = 1

DECISIONS = pa.schema(
    [
        pa.field("survivor", pa.string()),  # the id kept instead, or null where the row is kept
        pa.field("stage", pa.string()),  # exact | fuzzy, or null
        pa.field("similarity", pa.float64()),
        pa.field("cluster", pa.uint64(), nullable=False),
    ]
)
"""Row i is row i of the documents part of the same number."""


@dataclass(frozen=True, kw_only=True)
class _Keys:
    """The small columns of all parts, concatenated; row numbers below are positions in these."""

    starts: NDArray[np.int64]  # [parts + 1] first row of each part
    digests: NDArray[np.uint64]  # [rows, 2]
    rank: NDArray[np.int64]  # [rows] position in the survivor order


def stage(run: RunDirectory, recipe: Recipe) -> Stage | None:
    """The stage `duplicates`, or None while there are no keys."""
    keys = Manifest.read(run.path("documents"))
    if keys is None:
        return None
    return Stage(
        run=run,
        name="duplicates",
        version=VERSION,
        config=recipe.curate.dedup.model_dump(mode="json"),
        inputs={"keys": keys.content_of("keys")},
        folders=("duplicates",),
    )


def run_stage(run: RunDirectory, recipe: Recipe, client: Callable[[], Client]) -> Manifest:
    """Run the stage unless it is there.

    Raises:
        InputError: near duplicates would remove more than `dedup.fuzzy.max_removed` allows.
    """
    this = stage(run, recipe)
    assert this is not None
    if done := this.manifest():
        return done
    this.begin()
    parts = _parts(run)
    dedup = recipe.curate.dedup
    keys = _read_keys(parts)
    count = len(keys.rank)
    survivor = np.arange(count)
    similarity = np.ones(count)
    root = np.arange(count)
    if dedup.exact:
        survivor = _exact(keys)
        root = survivor.copy()
    exact = survivor != np.arange(count)
    if dedup.fuzzy is not None and count:
        with Progress("duplicates", total=len(parts)) as progress:
            buckets = _buckets(client(), parts, keys, ~exact, dedup.fuzzy, progress)
        survivor, similarity, root = _near(parts, keys, survivor, buckets, dedup.fuzzy)
    # A copy of a row that went as a near duplicate went as one too: it is only similar to what was kept.
    exact &= similarity == 1.0
    near = (survivor != np.arange(count)) & ~exact
    if dedup.fuzzy is not None and near.sum() > dedup.fuzzy.max_removed * count:
        raise InputError(
            f"near duplicates would remove {near.sum()} of {count} rows ({near.mean():.1%}), more than "
            f"dedup.fuzzy.max_removed allows ({dedup.fuzzy.max_removed:.1%})",
            where=f"largest cluster: {int(np.bincount(root).max())} rows",
            mend="raise curate.dedup.fuzzy.threshold, or max_removed if that is what you want",
        )
    _write(this, parts, keys, survivor, similarity, exact, root)
    sizes = np.bincount(root, minlength=1) if count else np.zeros(1, dtype=np.int64)
    dropped = int(exact.sum() + near.sum())
    return this.finish(
        parts=len(parts),
        rows=Rows(in_=count, kept=count - dropped, dropped=dropped),
        summary={
            "exact": int(exact.sum()),
            "fuzzy": int(near.sum()),
            "clusters": int((sizes > 1).sum()),
            "largest_cluster": int(sizes.max()),
            "bands": list(_bands(dedup.fuzzy)) if dedup.fuzzy else None,
        },
    )


def _parts(run: RunDirectory) -> list[str]:
    return [str(path) for path in sorted(run.path("keys").glob("part-*.parquet"))]


def _read_keys(parts: list[str]) -> _Keys:
    columns = ["priority", "length", "digest"]
    tables = [pq.read_table(path, columns=columns) for path in parts]
    starts = np.cumsum([0, *map(len, tables)])
    table = pa.concat_tables([KEYS.empty_table().select(columns), *tables]).combine_chunks()
    digest = pa.concat_arrays([pa.array([], pa.binary(16)), *table["digest"].chunks])
    digests = np.frombuffer(digest.buffers()[1] or b"", dtype="<u8").reshape(-1, 2)[: len(table)]
    order = np.lexsort((np.arange(len(table)), -table["length"].to_numpy(), -table["priority"].to_numpy()))
    rank = np.empty(len(table), dtype=np.int64)
    rank[order] = np.arange(len(table))
    return _Keys(starts=starts, digests=digests, rank=rank)


def _exact(keys: _Keys) -> NDArray[np.int64]:
    """The best-ranked row with the same digest, for every row."""
    order = np.lexsort((keys.rank, keys.digests[:, 1], keys.digests[:, 0]))
    ordered = keys.digests[order]
    first = np.ones(len(order), dtype=np.bool_)
    first[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    survivor = np.empty(len(order), dtype=np.int64)
    survivor[order] = order[np.flatnonzero(first)[np.cumsum(first) - 1]]
    return survivor


def _buckets(
    client: Client, parts: list[str], keys: _Keys, alive: NDArray[np.bool_], fuzzy: Fuzzy, progress: Progress
) -> NDArray[np.int64]:
    """Number the buckets that two or more rows share: [rows, bands], -1 elsewhere.

    One task a part computes band keys, one task a band groups that band's keys of all parts; Dask moves each band's
    keys, and nothing else, to where they are grouped.
    """
    from dask.delayed import delayed

    bands, rows = _bands(fuzzy)
    keys_of = delayed(partial(_band_keys, values=fuzzy.sketch, bands=bands, rows=rows), nout=bands, pure=False)
    columns = [
        keys_of(path, alive[start:end]) for path, start, end in zip(parts, keys.starts, keys.starts[1:], strict=False)
    ]
    grouped = [delayed(_group, pure=False)([column[band] for column in columns]) for band in range(bands)]
    buckets = np.full((len(alive), bands), -1, dtype=np.int64)
    where = np.flatnonzero(alive)
    offset = 0
    for band, future in enumerate(client.compute(grouped)):  # type: ignore[no-untyped-call]
        numbers, count = result_of(future, "duplicates", f"band {band}")
        buckets[where, band] = np.where(numbers >= 0, numbers + offset, -1)
        offset += count
    progress.advance(len(parts), rows=len(alive))
    return buckets


def _bands(fuzzy: Fuzzy) -> tuple[int, int]:
    """Bands and rows for the lower threshold: what must share a cluster must meet in a bucket."""
    return optimal_bands(round(lower_threshold(fuzzy.threshold, fuzzy.sketch), 3), fuzzy.sketch)


def _band_keys(
    path: str, alive: NDArray[np.bool_], *, values: int, bands: int, rows: int
) -> tuple[NDArray[np.uint64], ...]:
    """The keys of the rows that are still in, one array a band."""
    sketches = _sketches(path, values)[alive]
    keys = engine_for("cpu").band_keys(sketches, bands, rows)
    return tuple(np.ascontiguousarray(keys[:, band]) for band in range(bands))


def _group(columns: list[NDArray[np.uint64]]) -> tuple[NDArray[np.int64], int]:
    """Number the keys that occur more than once from 0; -1 for the others. Also how many there are."""
    _, number, count = np.unique(np.concatenate(columns), return_inverse=True, return_counts=True)
    shared = count > 1
    renumbered = np.where(shared, np.cumsum(shared) - 1, -1)
    return renumbered[number], int(shared.sum())


def _near(
    parts: list[str], keys: _Keys, exact: NDArray[np.int64], buckets: NDArray[np.int64], fuzzy: Fuzzy
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
    """Survivor, similarity and cluster root of every row, exact duplicates following their survivor."""
    candidates = np.flatnonzero((buckets >= 0).any(axis=1))
    candidates = candidates[np.argsort(keys.rank[candidates])]
    sketches = np.zeros((len(candidates), fuzzy.sketch), dtype=np.uint32)
    order = np.argsort(candidates)
    bounds = np.searchsorted(candidates[order], keys.starts)
    for path, start, first, end in zip(parts, keys.starts, bounds, bounds[1:], strict=False):
        if end > first:
            here = order[first:end]
            sketches[here] = _sketches(path, fuzzy.sketch)[candidates[here] - start]
    lower = lower_threshold(fuzzy.threshold, fuzzy.sketch)
    chosen, similar, roots = stars(np.ascontiguousarray(buckets[candidates]), sketches, fuzzy.threshold, lower)
    count = len(keys.rank)
    survivor, similarity, root = np.arange(count), np.ones(count), np.arange(count)
    survivor[candidates], similarity[candidates], root[candidates] = candidates[chosen], similar, candidates[roots]
    # An exact duplicate is as similar to its survivor's survivor as that survivor is.
    return survivor[exact], similarity[exact], root[exact]


def _sketches(path: str, values: int) -> NDArray[np.uint32]:
    """The sketches of a part: [rows, values]."""
    column = pq.read_table(path, columns=["sketch"])["sketch"].combine_chunks()
    flat: NDArray[np.uint32] = column.flatten().to_numpy()
    return flat.reshape(len(column), values)


def _write(
    this: Stage,
    parts: list[str],
    keys: _Keys,
    survivor: NDArray[np.int64],
    similarity: NDArray[np.float64],
    exact: NDArray[np.bool_],
    root: NDArray[np.int64],
) -> None:
    """Write each part's decisions; ids are read a part at a time, and only of rows that are kept instead of others.

    A cluster's number is the first half of the digest of its best-ranked row: of content, not of place, so a row keeps
    it, and with it its split, when files are renamed or lines inserted.
    """
    removed = survivor != np.arange(len(survivor))
    wanted = np.unique(survivor[removed])
    names = [pa.array([], pa.string())]
    bounds = np.searchsorted(wanted, keys.starts)
    for path, start, first, end in zip(parts, keys.starts, bounds, bounds[1:], strict=False):
        if end > first:
            ids = pq.read_table(path, columns=["id"])["id"].combine_chunks()
            names.append(ids.take(pa.array(wanted[first:end] - start)))
    survivors = pa.concat_arrays(names)
    for number, (start, end) in enumerate(zip(keys.starts, keys.starts[1:], strict=False)):
        rows = slice(start, end)
        kept = ~removed[rows]
        name = f"duplicates/part-{number:05d}.parquet"
        at = pa.array(np.searchsorted(wanted, survivor[rows]), mask=kept)
        table = pa.table(
            {
                "survivor": survivors.take(at),
                "stage": pa.array(np.where(exact[rows], "exact", "fuzzy"), pa.string(), mask=kept),
                "similarity": pa.array(similarity[rows], mask=kept),
                "cluster": keys.digests[root[rows], 0],
            },
            schema=DECISIONS,
        )
        write_parquet(this.run.path(name), table, DECISIONS)
        this.commit(f"part-{number:05d}", {name: len(table)}, {})
