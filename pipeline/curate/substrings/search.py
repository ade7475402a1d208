"""The bytes that lie in a window shared by enough rows, found exactly.

A *window* is `length` bytes of one message. It is shared if at least `documents` rows hold it. Three tables decide:

1. *Anchors.* Equal windows have equal anchors (`pipeline.text.winnow`), so a window whose anchor is in too few rows is
   not shared: most of the text ends here, with one small entry for about `length / 4` bytes.
2. *Stretches*, of what is left: where enough rows hold all the bytes of a stretch, all its windows are shared. The
   inside of boilerplate ends here.
3. *Windows*, of the stretches that are in too few rows, each counted by its digest. A stretch that is in enough rows
   speaks once, as its windows may be in others too.

So only the edges of what is shared are counted window by window, and no text leaves the task that reads it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.curate.compilation import ensure_compiled
from pipeline.curate.dedup.work import Map, load, save
from pipeline.curate.substrings import tables
from pipeline.curate.substrings.tables import EVERYWHERE, Table
from pipeline.curate.substrings.texts import Part, contents
from pipeline.engines import engine_for

__all__ = ["search", "spans_of"]


@dataclass(frozen=True, kw_only=True)
class _Job:
    part: Part
    number: int
    length: int
    documents: int
    anchors: Table
    stretches: Table
    windows: Table
    spans: Path


def search(
    parts: Sequence[Part],
    length: int,
    documents: int,
    folder: Path,
    turn: int,
    run: Map,
    *,
    entries: int = tables.ENTRIES,
) -> list[Path]:
    """Find the shared bytes of every part.

    Args:
        parts: all of them.
        length: bytes in a window.
        documents: rows that must hold it.
        folder: for the files between the steps.
        turn: which round it is; anchors of parts that have not changed since an earlier one are not looked for again.
        run: runs tasks.
        entries: of a table that one task counts.

    Returns:
        A file for each part: int64 [3, spans], the content, and the first and the last place in it (the latter not
        counted), ascending; between two spans of a content lies a byte that is not shared.
    """

    def table(name: str) -> Table:
        home = folder / name
        prefixes = [f"{part.number:05d}-{part.version if name == 'anchors' else turn:02d}" for part in parts]
        return Table(
            parts=tuple(home / prefix for prefix in prefixes),
            starts=tuple(part.start for part in parts),
            folder=home / f"turn-{turn:02d}",
        )

    jobs = [
        _Job(
            part=part,
            number=number,
            length=length,
            documents=documents,
            anchors=table("anchors"),
            stretches=table("stretches"),
            windows=table("windows"),
            spans=folder / f"spans/{part.number:05d}-{turn:02d}.npy",
        )
        for number, part in enumerate(parts)
    ]
    if jobs:
        run(find_anchors, jobs)
        tables.count(jobs[0].anchors, run, entries=entries)
        run(find_stretches, jobs)
        tables.count(jobs[0].stretches, run, entries=entries)
        run(find_windows, jobs)
        tables.count(jobs[0].windows, run, entries=entries)
        run(find_spans, jobs)
    return [job.spans for job in jobs]


def spans_of(path: Path) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """The spans of a part: content, first place in it, one past the last."""
    texts, firsts, lasts = load(path)
    return texts, firsts, lasts


def find_anchors(job: _Job) -> None:
    """Write the anchors of one part: (content, first window's place in it, windows)."""
    prefix = job.anchors.parts[job.number]
    if tables.is_there(prefix):
        return
    ensure_compiled()  # a worker of a joined scheduler may be the first on its machine
    texts, rows, bounds = contents(job.part)
    found = engine_for("cpu").stretches(texts, job.length)
    places = np.stack([found.texts, found.firsts - bounds[found.texts], found.counts])
    tables.put(prefix, found.keys[:, None], rows[found.texts], places)


def find_stretches(job: _Job) -> None:
    """Write the stretches whose anchor is in enough rows."""
    prefix = job.stretches.parts[job.number]
    if tables.is_there(prefix):
        return
    known = tables.answers(job.anchors, job.number)
    places = tables.places(job.anchors.parts[job.number])[:, known.counts >= job.documents]
    places = places[:, np.lexsort((places[1], places[0]))]
    keys, rows = _digests(job, places[0], places[1], places[2])
    tables.put(prefix, keys, rows, places)


def find_windows(job: _Job) -> None:
    """Write the windows of the stretches that are in too few rows, and, once, of every other."""
    prefix = job.windows.parts[job.number]
    if tables.is_there(prefix):
        return
    known = tables.answers(job.stretches, job.number)
    enough = known.counts >= job.documents
    chosen = ~enough | known.firsts
    texts, firsts, counts = tables.places(job.stretches.parts[job.number])[:, chosen]
    order = np.lexsort((firsts, texts))
    texts, firsts, counts, speaks = texts[order], firsts[order], counts[order], enough[chosen][order]
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    places = np.stack([np.repeat(texts, counts), np.repeat(firsts, counts) + within])
    keys, rows = _digests(job, places[0], places[1], np.ones(places.shape[1], np.int64))
    tables.put(prefix, keys, np.where(np.repeat(speaks, counts), EVERYWHERE, rows), places)


def find_spans(job: _Job) -> None:
    """Write the shared bytes of one part: the union of its shared windows."""
    if job.spans.exists():
        return
    whole = tables.answers(job.stretches, job.number).counts >= job.documents
    texts, firsts, counts = tables.places(job.stretches.parts[job.number])[:, whole]
    prefix = job.windows.parts[job.number]
    shared = tables.answers(job.windows, job.number).counts >= job.documents
    shared &= tables.rows(prefix) != EVERYWHERE
    single = tables.places(prefix)[:, shared]
    texts = np.concatenate([texts, single[0]])
    lasts = np.concatenate([firsts + counts - 1, single[1]]) + job.length
    firsts = np.concatenate([firsts, single[1]])
    save(job.spans, _union(texts, firsts, lasts))


def _digests(
    job: _Job, places: NDArray[np.int64], firsts: NDArray[np.int64], counts: NDArray[np.int64]
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Digests of runs of windows, and the rows that they stand in; the text is read only if there are any."""
    if not len(places):
        return np.zeros((0, 2), np.uint64), np.zeros(0, np.int64)
    texts, rows, bounds = contents(job.part)
    starts = bounds[places] + firsts
    return engine_for("cpu").digest_spans(texts, starts, starts + counts - 1 + job.length), rows[places]


def _union(texts: NDArray[np.int64], firsts: NDArray[np.int64], lasts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Runs of windows as spans; runs of one content do not lie within each other, so where they begin orders them."""
    order = np.lexsort((firsts, texts))
    texts, firsts, lasts = texts[order], firsts[order], lasts[order]
    fresh = np.ones(len(texts), np.bool_)
    fresh[1:] = (texts[1:] != texts[:-1]) | (firsts[1:] > lasts[:-1])
    ends = np.ones(len(texts), np.bool_)
    ends[:-1] = fresh[1:]
    return np.stack([texts[fresh], firsts[fresh], lasts[ends]])
