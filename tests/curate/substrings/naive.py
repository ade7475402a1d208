"""The definition, word for word; and rows as the files that the stage reads."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.atomic import atomic_file
from pipeline.curate.duplicates import DECISIONS
from pipeline.curate.substrings.search import search, spans_of
from pipeline.curate.substrings.texts import Part, contents
from pipeline.schema import MESSAGES
from tests.curate.planted import serial

__all__ = ["Row", "as_parts", "found", "shared_bytes"]

Row = Sequence[str]
"""The contents of a row's messages."""


def shared_bytes(rows: Sequence[Row], length: int, documents: int) -> list[list[list[tuple[int, int]]]]:
    """Row, message → spans of bytes that lie in a window which enough rows hold."""
    holders: dict[bytes, set[int]] = {}
    for row, messages in enumerate(rows):
        for content in messages:
            data = content.encode()
            for at in range(len(data) - length + 1):
                holders.setdefault(data[at : at + length], set()).add(row)
    answer = []
    for messages in rows:
        answer.append([_runs(content.encode(), holders, length, documents) for content in messages])
    return answer


def _runs(data: bytes, holders: dict[bytes, set[int]], length: int, documents: int) -> list[tuple[int, int]]:
    covered = bytearray(len(data))
    for at in range(len(data) - length + 1):
        if len(holders[data[at : at + length]]) >= documents:
            covered[at : at + length] = b"\1" * length
    edges = [place for place, (a, b) in enumerate(pairwise([0, *covered, 0])) if a != b]
    return list(zip(edges[::2], edges[1::2], strict=True))


def as_parts(rows: Sequence[Row], folder: Path, cuts: Sequence[int] = (), gone: Sequence[int] = ()) -> list[Part]:
    """Write the rows as parts cut at those rows; those `gone` are duplicates."""
    parts = []
    edges = [0, *sorted(cuts), len(rows)]
    for number, (start, end) in enumerate(pairwise(edges)):
        here = [
            [{"role": "text", "content": content, "extra": None} for content in messages]
            for messages in rows[start:end]
        ]
        documents, duplicates = (folder / f"{name}-{number}.parquet" for name in ("documents", "duplicates"))
        table = pa.table({"id": [f"s#{row}" for row in range(start, end)], "messages": pa.array(here, MESSAGES)})
        decisions = [
            {"survivor": "x", "stage": "exact", "similarity": 1.0, "cluster": 0}
            if row in gone
            else {"survivor": None, "stage": None, "similarity": None, "cluster": 0}
            for row in range(start, end)
        ]
        for path, data in ((documents, table), (duplicates, pa.Table.from_pylist(decisions, schema=DECISIONS))):
            with atomic_file(path) as beside:
                pq.write_table(data, beside)
        parts.append(Part(number=number, documents=documents, duplicates=duplicates, contaminated=(), start=start))
    return parts


def found(
    rows: Sequence[Row],
    folder: Path,
    length: int,
    documents: int,
    *,
    cuts: Sequence[int] = (),
    gone: Sequence[int] = (),
    entries: int = 1 << 20,
) -> list[list[list[tuple[int, int]]]]:
    """What the search finds, in the form of `shared_bytes`; nothing in rows that are gone."""
    answer: list[list[list[tuple[int, int]]]] = [[[] for _ in messages] for messages in rows]
    parts = as_parts(rows, folder, cuts, gone)
    for part, path in zip(parts, search(parts, length, documents, folder, 0, serial, entries=entries), strict=True):
        _, row_of, _ = contents(part)
        for number, first, last in zip(*(array.tolist() for array in spans_of(path)), strict=True):
            row = int(row_of[number])
            message = number - row_of.tolist().index(row)
            answer[part.start + row][message].append((first, last))
    return answer
