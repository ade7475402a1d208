"""From key tables to decisions: which rows go, in favour of which, and which cluster each belongs to.

    collisions → candidates → (comparisons → stars) until nothing changes → components

Every step leaves files in a working folder, so a run that was killed goes on where it was. Few rows are decided on by
one task, in memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.config import Dedup, Fuzzy
from pipeline.curate.dedup.bands import lower_threshold, optimal_bands, upper_threshold
from pipeline.curate.dedup.candidates import Candidates, gather
from pipeline.curate.dedup.collisions import Part, Scheme, collisions
from pipeline.curate.dedup.comparisons import CENTRES, Agreement, compare
from pipeline.curate.dedup.components import components
from pipeline.curate.dedup.exact import Verification, bits, similarity
from pipeline.curate.dedup.hooking import RANKS, hooked
from pipeline.curate.dedup.key_tables import Frames, shuffled_collisions
from pipeline.curate.dedup.sorting import places_in
from pipeline.curate.dedup.starring import starred
from pipeline.curate.dedup.stars import Stars, stars
from pipeline.curate.dedup.work import Map, here, in_memory, load, save

__all__ = ["FEW", "Decisions", "bands_of", "decide"]

FEW = 1 << 14
"""Fewer rows are decided on by one task: in a tenth of a second, or in a few where a template makes them alike."""


@dataclass(frozen=True, kw_only=True)
class Decisions:
    """What becomes of the candidates; every other row is kept, alone in its cluster.

    Attributes:
        candidates: the rows that share a key.
        survivor: int64 [candidates], the candidate kept instead; one that is kept is its own.
        similarity: float64 [candidates], to the survivor.
        exact: bool [candidates], removed as a copy of the survivor.
        root: int64 [candidates], the best candidate of the cluster.
    """

    candidates: Candidates
    survivor: NDArray[np.int64]
    similarity: NDArray[np.float64]
    exact: NDArray[np.bool_]
    root: NDArray[np.int64]

    @property
    def removed(self) -> NDArray[np.bool_]:
        """Which were removed: bool [candidates]; rows of the index are not this run's to remove."""
        removed: NDArray[np.bool_] = (self.survivor != np.arange(len(self.survivor))) & self.own
        return removed

    @property
    def own(self) -> NDArray[np.bool_]:
        """Which rows are this run's and not the index's: bool [candidates]."""
        own: NDArray[np.bool_] = self.candidates.rank >= self.candidates.earlier
        return own


def bands_of(fuzzy: Fuzzy) -> tuple[int, int]:
    """Bands, and values in each: as the recipe says, or the best for the *lower* threshold.

    What must share a cluster must meet in a bucket.
    """
    if fuzzy.bands:
        return fuzzy.bands.count, fuzzy.bands.rows
    return optimal_bands(round(lower_threshold(fuzzy.threshold, fuzzy.sketch), 3), fuzzy.sketch)


def decide(
    parts: Sequence[Part],
    dedup: Dedup,
    folder: Path,
    run: Map,
    *,
    shared: Path | None = None,
    centres: int = CENTRES,
    frames: Frames | None = None,
    few: int = FEW,
) -> Decisions:
    """Decide on every row.

    Args:
        parts: all rows, those of the index first.
        dedup: section of the recipe.
        folder: for the files between the steps.
        run: runs tasks.
        shared: file of the text that was left out of the sketches, where some was.
        centres: as `comparisons.CENTRES`.
        frames: where GPU workers find the rows that share a key, compare, and choose. They decide the same.
        few: as `FEW`.

    Raises:
        InputError: two rows of the run have one id.
    """
    reads_text = dedup.fuzzy is not None and dedup.fuzzy.verify == "exact"
    if sum(part.rows for part in parts) < few and frames is None and not reads_text:
        decisions: Decisions = run(decide_few, [_Few(parts=parts, dedup=dedup, centres=centres)])[0]
        return decisions
    return _decide(parts, dedup, folder, run, shared=shared, centres=centres, frames=frames)


@dataclass(frozen=True, kw_only=True)
class _Few:
    parts: Sequence[Part]
    dedup: Dedup
    centres: int


def decide_few(job: _Few) -> Decisions:
    """Decide on all rows in this process, without files."""
    parts = [replace(part, table=part.read()) for part in job.parts]
    with in_memory() as folder:
        return _decide(parts, job.dedup, folder, here, centres=job.centres)


def _decide(
    parts: Sequence[Part],
    dedup: Dedup,
    folder: Path,
    run: Map,
    *,
    centres: int,
    shared: Path | None = None,
    frames: Frames | None = None,
) -> Decisions:
    fuzzy = dedup.fuzzy
    bands, rows = bands_of(fuzzy) if fuzzy else (0, 0)
    scheme = Scheme(exact=dedup.exact, values=fuzzy.sketch if fuzzy else 0, bands=bands, rows=rows)
    if frames is not None and frames.hold(sum(part.rows for part in parts)):
        groups = shuffled_collisions(parts, scheme, folder, frames)
    else:
        groups = collisions(parts, scheme, folder, run)
    found = gather(parts, groups, dedup, folder / "candidates", run)
    count = len(found.rows)
    copy_of = _best_of(groups["digest"], found, 0)
    if fuzzy is None:
        return _decisions(found, copy_of, copy_of, np.ones(count), copy_of)
    # Rows with one sketch are one row to everything that follows, so a million of them cost no comparison; to
    # `verify: exact` only copies are.
    same = _best_of(groups["sketch"], found, 1)[copy_of] if fuzzy.verify == "sketch" else copy_of
    exact = None
    if fuzzy.verify == "exact":
        exact = Verification(parts, found.rows, found.rank, dedup, folder / "exact", shared=shared)
    device = frames if count <= RANKS else None
    done, edges = _stars(parts, groups, found, same, fuzzy, folder, run, centres, exact, device)
    by_rank = np.empty(count, dtype=np.int64)
    by_rank[found.rank] = np.arange(count)
    if device is not None:
        root = hooked(edges, count, folder / "components", run, device.module)
    else:
        root = components(edges, count, folder / "components", run)
    alike = similarity(done.equal) if exact else done.equal / fuzzy.sketch
    alike = np.where(done.equal < 0, 1.0, alike)[found.rank]
    return _decisions(
        found,
        copy_of,
        by_rank[done.survivor[found.rank]][same],
        alike[same],
        by_rank[root[found.rank]][same],
    )


def _decisions(
    found: Candidates,
    copy_of: NDArray[np.int64],
    survivor: NDArray[np.int64],
    similarity: NDArray[np.float64],
    root: NDArray[np.int64],
) -> Decisions:
    # A copy of a row that went as a near duplicate went as one too: it is only similar to what was kept.
    exact = (survivor == copy_of) & (survivor != np.arange(len(survivor))) & (found.rank >= found.earlier)
    return Decisions(candidates=found, survivor=survivor, similarity=similarity, exact=exact, root=root)


def _best_of(groups: Sequence[Path], found: Candidates, check: int) -> NDArray[np.int64]:
    """For every candidate the best one with the same key and the same second hash: int64 [candidates]."""
    best = np.arange(len(found.rows))
    for path in groups:
        group, row = load(path)
        candidate = places_in(found.rows, row)
        order = np.lexsort((found.rank[candidate], found.check[candidate, check], group))
        candidate, group = candidate[order], group[order]
        second = found.check[candidate, check]
        first = np.ones(len(group), dtype=np.bool_)
        first[1:] = (group[1:] != group[:-1]) | (second[1:] != second[:-1])
        best[candidate] = candidate[np.flatnonzero(first)[np.cumsum(first) - 1]] if len(group) else candidate
    return best


def _stars(
    parts: Sequence[Part],
    groups: Mapping[str, Sequence[Path]],
    found: Candidates,
    same: NDArray[np.int64],
    fuzzy: Fuzzy,
    folder: Path,
    run: Map,
    centres: int,
    exact: Verification | None,
    frames: Frames | None,
) -> tuple[Stars, list[Path]]:
    """Compare and choose until no survivor is like a better one that it shares a bucket with.

    A bucket's centre may turn out to be removed in favour of a row of another bucket. Rows that were compared with that
    centre only are *orphans*; their buckets are looked at again, without the rows removed so far. Edges only become
    more, so this ends; and with all of them the survivors are those of a search through all pairs.
    """
    buckets = groups["bands"]
    lower = lower_threshold(fuzzy.threshold, fuzzy.sketch)
    # An exact similarity may be below the threshold though the estimate is not: only what is surely alike to a centre
    # is not to be a centre itself.
    sure = fuzzy.threshold if exact is None else upper_threshold(fuzzy.threshold, fuzzy.sketch)
    needed, joined = (int(np.ceil(share * fuzzy.sketch - 1e-9)) for share in (sure, lower))
    told = needed if exact is None else joined
    agreement = Agreement(values=fuzzy.sketch, needed=needed, joined=joined, told=told, fixed=found.earlier)
    if exact is not None:
        needed = int(bits(np.array([fuzzy.threshold]))[0])
    starts = (*np.searchsorted(found.rows, [part.start for part in parts]).tolist(), len(found.rows))
    count = len(found.rows)
    distinct = same == np.arange(count)
    part = np.where(distinct, 2, 0)
    edges: list[Path] = []
    decisive: list[Path] = []
    turn = known = 0
    while True:
        state = folder / f"state-{turn:02d}.npy"
        save(state, np.stack([found.rows, found.rank, part]))
        fresh = compare(
            buckets,
            state,
            (folder / "candidates", starts),
            agreement,
            turn,
            folder / "edges",
            run,
            centres=centres,
            device=frames.device if frames else "cpu",
        )
        fresh = [path for path in fresh if load(path).shape[1]]
        edges += fresh
        decisive += fresh if exact is None else exact(fresh, turn, run)
        if frames is None:
            done = stars(decisive, count, needed, fixed=found.earlier)
        else:
            path = folder / "stars" / f"stars-{turn:02d}.npy"
            done = starred(decisive, count, needed, path, run, frames.module, fixed=found.earlier)
        if done.found == known or not done.orphan.any():
            return done, edges
        known, turn = done.found, turn + 1
        alive = distinct & (done.survivor == np.arange(count))[found.rank]
        part = np.where(alive, np.where(done.orphan[found.rank], 2, 1), 0)
