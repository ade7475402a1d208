"""Tables of keys with planted families, and what deduplication decides about them, in a form without parts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.config import Dedup
from pipeline.curate.dedup.collisions import Part, hashes_of
from pipeline.curate.dedup.decide import Decisions, decide
from pipeline.curate.dedup.work import here as serial
from pipeline.curate.keys import sketch_column
from pipeline.schema import KEYS

__all__ = ["DEDUP", "VALUES", "as_parts", "by_id", "decided", "families", "keys_table", "serial"]

VALUES = 16
DEDUP = {"fuzzy": {"sketch": VALUES, "threshold": 0.75, "bands": {"count": 4, "rows": 4}}}


def families(seed: int, rows: int, *, alphabet: int = 50, kin: float = 0.7, values: int = VALUES) -> np.ndarray:
    """Sketches with many chance agreements, most of them near copies of earlier ones, in chains."""
    random = np.random.default_rng(seed)
    sketches = random.integers(0, alphabet, (rows, values), dtype=np.uint32)
    for row in range(1, rows):
        if random.random() < kin:
            sketches[row] = sketches[random.integers(0, row)]
            changed = random.integers(0, values, random.integers(0, 4))
            sketches[row, changed] = random.integers(0, alphabet, len(changed))
    return sketches


def keys_table(sketches: np.ndarray, *, prefix: str = "s/a.jsonl#", seed: int = 0, digests: Any = None) -> pa.Table:
    """Keys of those sketches: few lengths and priorities, so that ties are many; rows with one digest, one sketch."""
    random = np.random.default_rng(seed)
    count = len(sketches)
    if digests is None:
        digests = hashes_of(sketches)
    return pa.table(
        {
            "id": [f"{prefix}{row}" for row in range(count)],
            "priority": random.integers(-1, 2, count).astype(np.int32),
            "length": random.integers(0, 5, count),
            "digest": pa.FixedSizeBinaryArray.from_buffers(
                pa.binary(16), count, [None, pa.py_buffer(np.ascontiguousarray(digests))]
            ),
            "sketch": sketch_column(sketches),
        },
        schema=KEYS,
    )


def as_parts(table: pa.Table, folder: Path, cuts: Sequence[int] = ()) -> list[Part]:
    """Write the rows as files cut at those rows."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = []
    edges = [0, *sorted(cuts), len(table)]
    for number, (start, end) in enumerate(pairwise(edges)):
        path = folder / f"part-{number:05d}.parquet"
        pq.write_table(table.slice(start, end - start), path)
        parts.append(Part(path=path, start=start, rows=end - start))
    return parts


def decided(table: pa.Table, folder: Path, *, cuts: Sequence[int] = (), **changes: Any) -> dict[str, tuple[Any, ...]]:
    """Row id → what was decided of it: by one task in memory, and by many with files, the same."""
    dedup = Dedup.model_validate({**DEDUP, **changes})
    parts = as_parts(table, folder / "keys", cuts)
    found = by_id(table, decide(parts, dedup, folder / "work", serial))
    assert by_id(table, decide(parts, dedup, folder / "work", serial, few=0)) == found
    return found


def by_id(table: pa.Table, decisions: Decisions) -> dict[str, tuple[Any, ...]]:
    """Row id → (survivor's id, similarity, removed as exact, id of the cluster's best row), of every row."""
    found: dict[str, tuple[Any, ...]] = {name: (name, 1.0, False, name) for name in table["id"].to_pylist()}
    ids = decisions.candidates.ids.to_pylist()
    for row, name in enumerate(ids):
        found[name] = (
            ids[decisions.survivor[row]],
            float(decisions.similarity[row]),
            bool(decisions.exact[row]),
            ids[decisions.root[row]],
        )
    return found
