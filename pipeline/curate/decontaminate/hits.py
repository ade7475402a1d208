"""Which n-grams of an index stand in which rows, as files between the steps of `held_out`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.curate.decontaminate.index import NgramIndex
from pipeline.curate.decontaminate.matches import find_in
from pipeline.curate.dedup.work import save
from pipeline.engines import engine_for

__all__ = ["write_hits"]


def write_hits(work: Path, name: str, common: int, slices: Iterable[tuple[NDArray[np.int64], pa.ListArray]]) -> None:
    """Write `hits-<name>.npy` (int64 [2, n]: row, n-gram) and `counts-<name>.npy` (int64 [2, m]: n-gram, its rows).

    An n-gram that more than `common` of the rows hold may be listed without its rows. What is there is left.

    Args:
        work: folder of the files; the index is in it.
        name: of the part.
        common: rows.
        slices: the numbers of rows, and their messages.
    """
    if (work / f"counts-{name}.npy").exists():
        return
    engine, index = engine_for("cpu"), NgramIndex.load(work / "index")
    grams = max(1, len(index.bounds) - 1)
    found = [np.zeros(0, np.int64)]
    for numbers, messages in slices:
        hits, rows = find_in(messages, index, engine)
        found.append(np.unique(numbers[rows] * grams + index.grams[hits.slots]))
    pairs = np.concatenate(found)
    row, gram = pairs // grams, pairs % grams
    held, at, rows_of_each = np.unique(gram, return_inverse=True, return_counts=True)
    few = rows_of_each[at] <= common
    save(work / f"hits-{name}.npy", np.stack([row[few], gram[few]]))
    save(work / f"counts-{name}.npy", np.stack([held, rows_of_each]))
