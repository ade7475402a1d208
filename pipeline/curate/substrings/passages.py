"""What is shared, row by row and in all: the files and the numbers of the stage.

A *passage* is a maximal run of shared bytes in a message. Passages are one if their bytes are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.curate.dedup.work import Map
from pipeline.curate.excerpts import CHARACTERS, redacted
from pipeline.curate.messages import contents_of, one_array, rows_of
from pipeline.curate.parquet import write_parquet
from pipeline.curate.substrings import tables
from pipeline.curate.substrings.search import spans_of
from pipeline.curate.substrings.tables import Table
from pipeline.curate.substrings.texts import Part, contents, current
from pipeline.engines import ENTITIES, Engine, engine_for
from pipeline.engines.columns import from_arrow

__all__ = ["PASSAGES", "PassageJob", "passage_jobs", "shown", "write_passages"]

PASSAGES = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("message", pa.int32(), nullable=False),  # of the row, counted from 0
        pa.field("start", pa.int64(), nullable=False),  # bytes of its content in `documents`
        pa.field("end", pa.int64(), nullable=False),
        pa.field("passage", pa.binary(16), nullable=False),  # digest of its bytes
        pa.field("rows", pa.int64(), nullable=False),  # that have exactly this passage
    ]
)
"""A passage in a row that was kept until then."""

SHOWN = 10
"""Passages that are shown: so many of those that take most bytes, and of those in most rows."""


@dataclass(frozen=True, kw_only=True)
class PassageJob:
    """A part whose passages are counted, then written."""

    part: Part
    number: int
    spans: Path
    table: Table


def passage_jobs(parts: Sequence[Part], spans: Sequence[Path], folder: Path, run: Map) -> tuple[list[PassageJob], int]:
    """Count the rows of every passage; return a job for each part, and how many different passages there are."""
    table = Table(
        parts=tuple(folder / f"passages/{part.number:05d}" for part in parts),
        starts=tuple(part.start for part in parts),
        folder=folder / "passages/turn-00",
    )
    jobs = [
        PassageJob(part=part, number=number, spans=path, table=table)
        for number, (part, path) in enumerate(zip(parts, spans, strict=True))
    ]
    run(find_passages, jobs)
    return jobs, tables.count(table, run) if jobs else 0


def find_passages(job: PassageJob) -> None:
    """Write the digests of one part's passages."""
    prefix = job.table.parts[job.number]
    if tables.is_there(prefix):
        return
    numbers, firsts, lasts = spans_of(job.spans)
    texts, rows, bounds = contents(job.part)
    keys = engine_for("cpu").digest_spans(texts, bounds[numbers] + firsts, bounds[numbers] + lasts)
    places = np.concatenate([np.stack([numbers, firsts, lasts]), keys.T.astype(np.int64)])
    tables.put(prefix, keys, rows[numbers], places)


def write_passages(job: PassageJob, path: Path) -> dict[str, Any]:
    """Write one part's passages, and count them.

    Returns:
        `kept` rows and their `text_bytes`; `rows` with a passage, `bytes` of passages, `lines` of the file; and what
        may be `shown`.
    """
    table, _ = current(job.part, ["id", "messages"])
    messages = one_array(table["messages"])
    texts, row_of = contents_of(messages), rows_of(messages)
    counts = tables.answers(job.table, job.number).counts.astype(np.int64)
    places = tables.places(job.table.parts[job.number])
    order = np.lexsort((places[1], places[0]))
    counts, (numbers, firsts, lasts), keys = counts[order], places[:3, order], places[3:, order].T
    rows = row_of[numbers]
    first_message = np.searchsorted(row_of, rows)
    digests = np.ascontiguousarray(keys)
    found = pa.table(
        {
            "id": table["id"].take(pa.array(rows)),
            "message": (numbers - first_message).astype(np.int32),
            "start": firsts,
            "end": lasts,
            "passage": pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), len(rows), [None, pa.py_buffer(digests)]),
            "rows": counts,
        },
        schema=PASSAGES,
    )
    write_parquet(path, found, PASSAGES)
    return {
        "lines": len(found),
        "kept": len(table),
        "rows": len(np.unique(rows)),
        "bytes": int((lasts - firsts).sum()),
        "text_bytes": int(np.diff(from_arrow(texts).bounds).sum()),
        "shown": _candidates(texts, numbers, firsts, lasts, counts, digests, engine_for("cpu")),
    }


def shown(parts: Iterable[Sequence[dict[str, Any]]]) -> list[dict[str, Any]]:
    """The passages that take most bytes, and those in most rows; the former first.

    Args:
        parts: the candidates of each, in the order of parts. A passage that is among the first of all is among the
            first of every part that has it.
    """
    every: dict[str, dict[str, Any]] = {}
    for part in parts:
        for one in part:
            every.setdefault(one["passage"], one)
    by_bytes, by_rows = _first(list(every.values()))
    chosen = {one["passage"]: one for one in (*by_bytes, *by_rows)}
    return sorted(chosen.values(), key=_bytes)


def _first(candidates: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    by_rows = sorted(candidates, key=lambda one: (-one["rows"], -one["bytes"], one["passage"]))
    return sorted(candidates, key=_bytes)[:SHOWN], by_rows[:SHOWN]


def _bytes(one: dict[str, Any]) -> tuple[int, str]:
    return -one["rows"] * one["bytes"], one["passage"]


def _candidates(
    texts: pa.LargeStringArray,
    numbers: NDArray[np.int64],
    firsts: NDArray[np.int64],
    lasts: NDArray[np.int64],
    counts: NDArray[np.int64],
    digests: NDArray[np.int64],
    engine: Engine,
) -> list[dict[str, Any]]:
    """The first of one part's passages, each with an excerpt of where it stands first."""
    _, at = np.unique(digests, axis=0, return_index=True)
    sizes = lasts - firsts
    # Of equal ones enough that the digest, which decides at the end, finds its first.
    places: list[int] = []
    for values in (counts[at] * sizes[at], counts[at]):
        least = np.sort(values)[::-1][:SHOWN][-1:] if len(values) else values
        places += at[values >= least].tolist() if len(least) else []
    found = [
        {
            "passage": digests[place].astype("<i8").tobytes().hex(),
            "bytes": int(sizes[place]),
            "rows": int(counts[place]),
            "place": place,
        }
        for place in dict.fromkeys(places)
    ]
    by_bytes, by_rows = _first(found)
    chosen = list({one["passage"]: one for one in (*by_bytes, *by_rows)}.values())
    at = np.array([one.pop("place") for one in chosen], np.int64)
    excerpts = _excerpts(texts, numbers[at], firsts[at], lasts[at], engine)
    return [{**one, "excerpt": excerpt} for one, excerpt in zip(chosen, excerpts, strict=True)]


def _excerpts(
    texts: pa.LargeStringArray,
    numbers: NDArray[np.int64],
    firsts: NDArray[np.int64],
    lasts: NDArray[np.int64],
    engine: Engine,
) -> list[str]:
    """The redacted beginnings of passages. What stands across an end of one is left out: half an address is one too."""
    whole = texts.take(pa.array(numbers))
    column, entities = from_arrow(whole), engine.find_entities(whole, ENTITIES)
    pieces = []
    for text in range(len(whole)):
        start, end = int(column.bounds[text] + firsts[text]), int(column.bounds[text] + lasts[text])
        here = entities.rows == text
        for first, last in zip(entities.starts[here].tolist(), entities.ends[here].tolist(), strict=True):
            if first < start < last:
                start = last
            if first < end < last:
                end = first
        pieces.append(column.buffer[start : max(start, end)].tobytes().decode(errors="ignore").strip())
    cut: list[str] = pc.utf8_slice_codeunits(
        redacted(pa.array(pieces, pa.large_string()), engine), 0, CHARACTERS
    ).to_pylist()
    return cut
