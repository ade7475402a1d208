"""Rows of earlier runs, taken over by `curated` as they are: each keeps its split (`docs/retraining.md`)."""

from __future__ import annotations

import os
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import fingerprint
from pipeline.atomic import atomic_file
from pipeline.config import Recipe
from pipeline.curate.parquet import write_parquet
from pipeline.errors import InputError
from pipeline.run import Manifest, PartRecord, Stage
from pipeline.schema import CURATED, SPLITS

__all__ = ["EarlierPart", "earlier_inputs", "earlier_parts", "take_over"]

_OWN = re.compile(r"curated/(\w+)/part-(\d{5})\.parquet")
"""A run's own part; those that it took over have the name of their run in theirs."""


def earlier_inputs(recipe: Recipe) -> dict[str, str]:
    """Run → fingerprint of its own curated rows.

    Raises:
        InputError: a run has no finished curation.
    """
    found = {}
    for folder in recipe.retrain.earlier:
        own = [[part["name"], part["blake3"]] for part in _manifest(folder).parts if _OWN.fullmatch(part["name"])]
        found[Path(folder).name] = fingerprint.of_value(own)
    return found


@dataclass(frozen=True, kw_only=True)
class EarlierPart:
    """Rows that one part of an earlier run has in a split.

    Attributes:
        run: its name.
        number: of the part.
        path: of the rows.
    """

    run: str
    number: str
    path: Path

    @property
    def name(self) -> str:
        """Of the part, among those of all earlier runs."""
        return f"{self.run}-{self.number}"


def earlier_parts(recipe: Recipe, split: str) -> list[EarlierPart]:
    """The rows of a split of every part of its own that an earlier run has.

    Raises:
        InputError: a run has no finished curation, or a part of it is gone.
    """
    return [
        EarlierPart(run=run.name, number=number, path=_there(run / f"curated/{split}/part-{number}.parquet"))
        for run, number in _own_parts(recipe)
    ]


def take_over(stage: Stage, recipe: Recipe, finished: dict[str, PartRecord]) -> list[PartRecord]:
    """Put the own rows of earlier runs beside this run's, as parts of their names, and record them.

    Files are linked where the file system allows. Of the training rows a share of `retrain.replay` is taken, told by a
    hash of seed and id, so that it is the same in every later batch.

    Raises:
        InputError: a run has no finished curation, or a part of it is gone.
    """
    records = []
    for run, number in _own_parts(recipe):
        part = f"earlier-{run.name}-{number}"
        records.append(finished.get(part) or _take_part(stage, recipe, run, number, part))
    return records


def _take_part(stage: Stage, recipe: Recipe, run: Path, number: str, part: str) -> PartRecord:
    files: dict[str, int] = {}
    rows: Counter[str] = Counter()
    left = 0
    for split in SPLITS:
        source = _there(run / f"curated/{split}/part-{number}.parquet")
        name = f"curated/{split}/part-{run.name}-{number}.parquet"
        if split == "train" and recipe.retrain.replay < 1:
            table = pq.read_table(source, schema=CURATED)
            chosen = table.filter(_replayed(table["id"], recipe.seed, recipe.retrain.replay))
            write_parquet(stage.run.path(name), chosen, CURATED)
            left += len(table) - len(chosen)
        else:
            _link(source, stage.run.path(name))
        files[name] = rows[split] = pq.read_metadata(stage.run.path(name)).num_rows
    return stage.commit(part, files, {"earlier": dict(rows), "left_out": left})


def _own_parts(recipe: Recipe) -> Iterator[tuple[Path, str]]:
    """Every earlier run with the number of each part of its own."""
    for folder in recipe.retrain.earlier:
        own = {match[2] for part in _manifest(folder).parts if (match := _OWN.fullmatch(part["name"]))}
        yield from ((Path(folder), number) for number in sorted(own))


def _there(path: Path) -> Path:
    if not path.is_file():
        raise InputError(
            "a part of an earlier batch is gone",
            where=str(path),
            mend="restore it: later batches are trained on the rows of earlier ones",
        )
    return path


def _replayed(ids: pa.ChunkedArray, seed: int, share: float) -> pa.Array:
    chosen = [int(fingerprint.of_bytes(f"{seed}:{key}".encode())[:13], 16) < share * 16**13 for key in ids.to_pylist()]
    return pa.array(np.array(chosen, np.bool_))


def _link(source: Path, target: Path) -> None:
    with atomic_file(target) as beside:
        try:
            os.link(source, beside)
        except OSError:  # another file system, or one without hard links
            shutil.copyfile(source, beside)


def _manifest(folder: str) -> Manifest:
    manifest = Manifest.read(Path(folder) / "curated")
    if manifest is None:
        raise InputError(
            "an earlier batch has no curated rows",
            where=folder,
            mend="restore its folder; later batches are trained on the rows of earlier ones",
        )
    return manifest
