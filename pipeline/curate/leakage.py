"""How many pairs of near duplicates lie on both sides of a split: counted in what was written, not concluded.

Nothing that deduplication decided goes in: neither its clusters nor its pairs. Where a row lies is read from the files
of the splits. Pairs are looked for among the sketches of these rows, with bands of their own, and a pair counts if
its sketches agree as much as the recipe's threshold asks. Rows of one digest count whatever their sketches say.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numba import njit
from numpy.typing import NDArray

from pipeline.config import Curate, Fuzzy
from pipeline.curate.dedup.bands import optimal_bands
from pipeline.curate.dedup.candidates import Sketches
from pipeline.curate.dedup.collisions import Part, Scheme, collisions, sketches_of
from pipeline.curate.dedup.decide import bands_of
from pipeline.curate.dedup.sorting import places_in
from pipeline.curate.dedup.work import Map, load, save, work_folder
from pipeline.curate.duplicates import keys_of
from pipeline.curate.messages import one_array
from pipeline.curate.parquet import read_parquet
from pipeline.curate.substrings.apply import cut_keys
from pipeline.errors import InputError
from pipeline.run import RunDirectory
from pipeline.schema import SPLITS

__all__ = ["check_leaks", "count_leaks"]

_COMPARISONS = 1 << 24
"""Of one bucket; what a larger one leaves uncompared is counted and said."""
_PAIRS = 1 << 20
"""That one task names; more mean that something is broken, and are counted as this many."""
_BYTES = 1 << 28
"""Sketches in memory at once, about."""


def count_leaks(run: RunDirectory, fuzzy: Fuzzy | None, run_tasks: Map, *, cut: bool = False) -> dict[str, Any]:
    """Count the pairs of rows in different splits that are equal or nearly so.

    Args:
        run: whose `duplicates` and `curated` are finished.
        fuzzy: section of the recipe; None: only equal digests count.
        run_tasks: runs tasks.
        cut: whether rows were cut by the stage `substrings`, which made their keys anew.

    Returns:
        `pairs` of near duplicates and `equal` of one digest, both 0 where the split is right; `threshold`; `rows`
        that were looked at; `uncompared`: comparisons left out, so that `pairs` is at least that; `examples` of ids.
    """
    work = work_folder(run.path("curated/_leakage"))
    parts: list[Part] = []
    for number, before in enumerate(keys_of(run, fuzzy)):
        after = run.path(cut_keys(number))
        path = after if cut and after.exists() else before
        start = parts[-1].start + parts[-1].rows if parts else 0
        parts.append(Part(path=path, start=start, rows=pq.read_metadata(path).num_rows))
    run_tasks(place_part, [(part, run.path("curated"), work) for part in parts])
    places = [load(work / f"splits-{part.path.stem}.npy") for part in parts]
    splits = np.concatenate([np.zeros(0, np.int8), *places])
    bands, rows = optimal_bands(fuzzy.threshold, fuzzy.sketch) if fuzzy else (0, 0)
    scheme = Scheme(exact=True, values=fuzzy.sketch if fuzzy else 0, bands=bands, rows=rows)
    groups = collisions(parts, scheme, work, run_tasks)
    equal = sum(_equal_pairs(load(path), splits) for path in groups["digest"])
    pairs, uncompared = np.zeros((0, 2), np.int64), 0
    if fuzzy:
        candidates = _gather(groups["bands"], splits, parts, fuzzy, work, run_tasks)
        needed = int(np.ceil(fuzzy.threshold * fuzzy.sketch - 1e-9))
        jobs = [_Compare(path, work, candidates, fuzzy.sketch, needed) for path in groups["bands"]]
        found = run_tasks(compare_group, jobs)
        pairs = np.unique(np.concatenate([pairs, *(one for one, _ in found)]), axis=0)
        uncompared = sum(left for _, left in found)
    summary = {
        "pairs": len(pairs),
        "equal": equal,
        "threshold": fuzzy.threshold if fuzzy else None,
        "rows": int((splits >= 0).sum()),
        "uncompared": uncompared,
        "examples": [[_id(parts, row) for row in pair] for pair in pairs[:5].tolist()],
    }
    shutil.rmtree(work.parent, ignore_errors=True)
    return summary


def check_leaks(found: Mapping[str, Any], curate: Curate) -> None:
    """Stop a run whose splits share more than the recipe allows: what is measured on them would be too good.

    Args:
        found: of `count_leaks`.
        curate: section of the recipe.

    Raises:
        InputError: with some of the pairs, and what to set.
    """
    pairs, allowed = found["pairs"] + found["equal"], curate.split.max_leakage
    if pairs <= allowed:
        return
    fuzzy = curate.dedup.fuzzy
    if found["equal"] and not curate.dedup.exact:
        mend = "set curate.dedup.exact: true, so that rows that became equal by a cut are dropped"
    elif fuzzy is None:
        mend = "this is a defect of the project unless the files of the run were changed: please report it"
    else:
        count, rows = bands_of(fuzzy)
        more = fuzzy.sketch // max(1, rows - 1)
        mend = (
            "let more rows be compared: set curate.dedup.fuzzy.bands to more and shorter ones than now "
            f"({{count: {count}, rows: {rows}}}), as {{count: {more}, rows: {max(1, rows - 1)}}}"
        )
    shown = "; ".join(" and ".join(pair) for pair in found["examples"])
    raise InputError(
        f"{pairs} pairs of duplicates lie in different splits, more than curate.split.max_leakage allows ({allowed})",
        where=shown or "rows of one digest",
        mend=f"{mend}; or raise curate.split.max_leakage to go on with them",
    )


def place_part(job: tuple[Part, Path, Path]) -> None:
    """Write in which split each row of a part lies: int8 [rows], -1 where it lies in none."""
    part, curated, work = job
    path = work / f"splits-{part.path.stem}.npy"
    if path.exists():
        return
    ids = one_array(pq.read_table(part.path, columns=["id"])["id"])
    splits = np.full(part.rows, -1, np.int8)
    for number, split in enumerate(SPLITS):
        name = part.path.name.replace("keys-", "part-")
        there = one_array(pq.read_table(curated / split / name, columns=["id"])["id"])
        splits[pc.is_in(ids, value_set=there).to_numpy(zero_copy_only=False)] = number
    save(path, splits)


def _equal_pairs(groups: NDArray[np.int64], splits: NDArray[np.int8]) -> int:
    """Pairs of one group that lie in different splits."""
    group, row = groups
    here = splits[row] >= 0
    group, split = group[here], splits[row[here]].astype(np.int64)
    if not len(group):
        return 0
    counts = np.bincount(group * len(SPLITS) + split, minlength=(group.max() + 1) * len(SPLITS))
    counts = counts.reshape(-1, len(SPLITS))
    return int((counts.sum(axis=1) ** 2 - (counts**2).sum(axis=1)).sum()) // 2


def _gather(
    groups: Sequence[Path], splits: NDArray[np.int8], parts: Sequence[Part], fuzzy: Fuzzy, work: Path, run_tasks: Map
) -> tuple[int, ...]:
    """Write the sketches of the rows that share a bucket with a row of another split; return `Sketches`' starts."""
    wanted = np.zeros(len(splits), np.bool_)
    for path in groups:
        group, row = load(path)
        here = splits[row] >= 0
        group, row = group[here], row[here]
        wanted[row[_mixed(group, splits[row])]] = True
    rows = np.flatnonzero(wanted)
    save(work / "candidates.npy", np.stack([rows, splits[rows]]))
    starts = (*np.searchsorted(rows, [part.start for part in parts]).tolist(), len(rows))
    jobs = [
        (part, rows[start:end] - part.start, fuzzy.sketch, work / f"sketches-{number:05d}.npy")
        for number, (part, start, end) in enumerate(zip(parts, starts, starts[1:], strict=False))
        if end > start
    ]
    run_tasks(gather_part, jobs)
    return starts


def gather_part(job: tuple[Part, NDArray[np.int64], int, Path]) -> None:
    """Write the sketches of some rows of a part."""
    part, rows, values, path = job
    if not path.exists():
        save(path, sketches_of(read_parquet(part.path, ["sketch"])["sketch"], values)[rows])


def _mixed(group: NDArray[np.int64], split: NDArray[np.int8]) -> NDArray[np.bool_]:
    """Which rows are in a group with more than one split: bool [rows]."""
    if not len(group):
        return np.zeros(0, np.bool_)
    held = np.zeros(group.max() + 1, np.int64)
    np.bitwise_or.at(held, group, 1 << split.astype(np.int64))
    several: NDArray[np.bool_] = (held & (held - 1)) != 0
    return several[group]


@dataclass(frozen=True)
class _Compare:
    group: Path
    work: Path
    starts: tuple[int, ...]
    values: int
    needed: int


def compare_group(job: _Compare) -> tuple[NDArray[np.int64], int]:
    """Compare the rows of every bucket of a file across splits; return the pairs, and the comparisons left out."""
    rows, split_of = load(job.work / "candidates.npy")
    group, row = load(job.group)
    place = np.minimum(places_in(rows, row), max(len(rows) - 1, 0))
    known = rows[place] == row if len(rows) else np.zeros(len(row), np.bool_)
    group, place = group[known], place[known]
    mixed = _mixed(group, split_of[place].astype(np.int8))
    group, place = np.ascontiguousarray(group[mixed]), place[mixed]
    split = split_of[place].astype(np.int64)
    sketches = Sketches(job.work, job.starts, job.values)
    found, left = [np.zeros((0, 2), np.int64)], 0
    step = max(1, _BYTES // (4 * job.values))
    at = 0
    while at < len(group):
        end = at + step
        if end < len(group):  # whole buckets
            end = int(np.searchsorted(group, group[end]))
        if end <= at:  # one that is larger than what is held at once
            end = int(np.searchsorted(group, group[at], side="right"))
        here = np.arange(at, min(end, len(group)))
        if len(here) > step:
            chosen = _some(here, split[here], step)
            left += _across(split[here]) - _across(split[chosen])
            here = chosen
        here = here[np.lexsort((split[here], group[here]))]
        distinct, local = np.unique(place[here], return_inverse=True)
        pairs, more = _pairs(group[here], split[here], local, sketches[distinct], job.needed, _COMPARISONS, _PAIRS)
        found.append(np.sort(rows[distinct[pairs]], axis=1))
        left += more
        at = end
    return np.unique(np.concatenate(found), axis=0), left


def _some(rows: NDArray[np.int64], split: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """So many of the rows, of every split in turn."""
    order = np.argsort(split, kind="stable")
    sizes = np.bincount(split, minlength=len(SPLITS))
    turn = np.empty(len(rows), np.int64)
    turn[order] = np.arange(len(rows)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return rows[np.sort(np.argsort(turn, kind="stable")[:count])]


def _across(split: NDArray[np.int64]) -> int:
    """How many pairs of rows lie in different splits."""
    counts = np.bincount(split)
    return int(len(split) ** 2 - (counts**2).sum()) // 2


@njit(cache=True, nogil=True)
def _pairs(group, split, local, sketches, needed, most, room):  # type: ignore[no-untyped-def]
    """Pairs of a bucket in different splits whose sketches agree in `needed` values; and comparisons left out.

    The rows of a bucket are in the order of their splits, so that no step is spent on rows of one split.
    """
    pairs = np.empty((room, 2), dtype=np.int64)
    count = 0
    left = 0
    first = 0
    while first < len(group):
        end = first
        while end < len(group) and group[end] == group[first]:
            end += 1
        done = 0
        across = 0
        own = first  # where the split of row i begins
        for i in range(first, end):
            if split[i] != split[own]:
                own = i
            across += own - first
            for j in range(first, min(own, first + most - done)):
                done += 1
                equal = 0
                for k in range(sketches.shape[1]):
                    equal += sketches[local[i], k] == sketches[local[j], k]
                if equal >= needed and count < room:
                    pairs[count, 0] = local[j]
                    pairs[count, 1] = local[i]
                    count += 1
        left += across - done
        first = end
    return pairs[:count].copy(), left


def _id(parts: Sequence[Part], row: int) -> str:
    part = next(part for part in parts if part.start <= row < part.start + part.rows)
    ids: pa.ChunkedArray = pq.read_table(part.path, columns=["id"])["id"]
    return str(ids[row - part.start].as_py())
