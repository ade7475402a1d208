"""The index: digests, sketches and ids of what earlier batches kept.

A new batch is held against them without their text.

    INDEX/_index.json                       format, parameters, and the batches in their order
    INDEX/batch-00000-<kept>/part-*.parquet what one run kept
    INDEX/shared-<key>.npy                  with `fuzzy.ignore_shared`: hashes of the text that the first batch left out

Files are only ever added. A batch's are written first, each atomically, and then the manifest is replaced, so an append
that is killed leaves the index as it was, and the same command appends again. A batch is known by its rows (ids and
digests) and by the index's parameters: a run over the same rows finds its batch there whatever else its recipe says, is
not held against it, and does not append it twice. Where it keeps other rows than before, they take the batch's place.

What the first batch found to be shared is left out of all later ones: sketches of texts that were cut differently could
not be compared.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline import fingerprint
from pipeline.atomic import atomic_file, write_json
from pipeline.config import Dedup
from pipeline.curate.dedup import row_identity
from pipeline.curate.dedup.collisions import Part
from pipeline.curate.dedup.work import Map
from pipeline.curate.parquet import read_parquet, write_parquet
from pipeline.errors import InputError, StageError
from pipeline.schema import KEYS

__all__ = ["INDEX", "Index"]

FORMAT = 4
"""Of the files; also grows when the normal form, the digest or the sketch of a text changes."""

_READABLE = (3, FORMAT)
"""Formats of an index that a batch may be held against and added to: files of format 3 have sketches as lists."""

INDEX = pa.schema(
    [KEYS.field("id"), KEYS.field("digest"), KEYS.field("sketch"), pa.field("cluster", pa.uint64(), nullable=False)]
)
"""A row that was kept, as later batches see it."""

_MANIFEST = "_index.json"


@dataclass(frozen=True, kw_only=True)
class Index:
    """The batches that a run is held against.

    Attributes:
        folder: of the index.
        parameters: what digests and sketches depend on, and what counts as a duplicate.
        key: of the run's own batch.
        batches: those before it, as in the manifest.
        own: its own batch, where it is there.
        later: those behind it.
        shared: file of the text that is left out, where there are batches and something is.
    """

    folder: Path
    parameters: dict[str, Any]
    key: str
    batches: list[dict[str, Any]]
    own: dict[str, Any] | None
    later: list[dict[str, Any]]
    shared: Path | None = None

    @classmethod
    def open(cls, folder: str | Path, dedup: Dedup, rows: str) -> Index:
        """Read the manifest; a folder that is not there is an empty index.

        Args:
            folder: of the index.
            dedup: section of the recipe.
            rows: identity of the run's rows (`row_identity.shown`).

        Raises:
            InputError: the index was made with other parameters, or is damaged.
        """
        home = Path(folder).absolute()
        parameters = _parameters(dedup)
        key = fingerprint.of_value({"rows": rows, "parameters": parameters})
        batches, shared = _read(home, parameters)
        keys = [batch["key"] for batch in batches]
        place = keys.index(key) if key in keys else len(keys)
        return cls(
            folder=home,
            parameters=parameters,
            key=key,
            batches=batches[:place],
            own=batches[place] if place < len(keys) else None,
            later=batches[place + 1 :],
            shared=_whole(home, shared) if shared and place else None,
        )

    def parts(self) -> list[Part]:
        """What earlier batches kept, in their order."""
        parts: list[Part] = []
        for number, batch in enumerate(self.batches):
            for file in batch["files"]:
                path = _whole(self.folder, file)
                start = parts[-1].start + parts[-1].rows if parts else 0
                parts.append(Part(path=path, start=start, rows=file["rows"], batch=number))
        return parts

    def append(self, keys: Sequence[Path], decisions: Sequence[Path], run: Map, *, shared: Path | None = None) -> None:
        """Add what this run kept; where its batch is there with other rows, put them in its place.

        Args:
            keys: the parts of the run's keys.
            decisions: their parts of `duplicates`.
            run: runs tasks.
            shared: the text that was left out, where some was.

        Raises:
            StageError: another run has appended since this one was decided.
        """
        pairs = list(zip(keys, decisions, strict=True))
        kept = row_identity.shown(row_identity.total(run(identify_part, pairs)))
        if self.own and self.own["kept"] == kept:
            return
        name = f"batch-{len(self.batches):05d}-{kept[:12]}"
        jobs = [_Append(keys=key, decisions=decision, path=self.folder / name / key.name) for key, decision in pairs]
        counts = run(append_part, jobs)
        files = [
            {**_file(f"{name}/{job.path.name}", job.path), "rows": rows} for job, rows in zip(jobs, counts, strict=True)
        ]
        if shared and not self.shared:
            shared = _copied(shared, self.folder / f"shared-{self.key[:12]}.npy")
        batch = {"key": self.key, "kept": kept, "name": name, "rows": sum(counts), "files": files}
        with _lock(self.folder):
            seen = [*self.batches, *([self.own] if self.own else []), *self.later]
            if _read(self.folder, self.parameters)[0] != seen:
                raise StageError(
                    "the index of duplicates grew while this run was deduplicated",
                    where=str(self.folder),
                    mend="run the same command again: it is held against the new batches too",
                )
            write_json(
                self.folder / _MANIFEST,
                {
                    "format": FORMAT,
                    "parameters": self.parameters,
                    "shared": _file(shared.name, shared) if shared else None,
                    "batches": [*self.batches, batch, *self.later],
                },
            )


@dataclass(frozen=True, kw_only=True)
class _Append:
    keys: Path
    decisions: Path
    path: Path


def append_part(job: _Append) -> int:
    """Write what is kept of one part; return how many rows it has."""
    if not job.path.exists():
        write_parquet(job.path, _kept(job.keys, job.decisions, INDEX.names[:-1]), INDEX)
    return int(pq.read_metadata(job.path).num_rows)


def identify_part(job: tuple[Path, Path]) -> row_identity.Sum:
    """The identity of what is kept of one part, clusters included: later batches take them over."""
    kept = _kept(*job, ["id", "digest"])
    return row_identity.of_rows(kept["id"], kept["digest"], kept["cluster"].to_numpy())


def _kept(keys: Path, decisions: Path, columns: list[str]) -> pa.Table:
    """The rows of a part that are kept: some columns of their keys, and `cluster`."""
    decided = read_parquet(decisions, ["stage", "cluster"])
    table = read_parquet(keys, columns)
    return table.append_column("cluster", decided["cluster"]).filter(pc.is_null(decided["stage"]))


def _parameters(dedup: Dedup) -> dict[str, Any]:
    fuzzy = dedup.fuzzy
    return {
        "on": dedup.on,
        "exact": dedup.exact,
        "fuzzy": {
            "sketch": fuzzy.sketch,
            "shingle": {fuzzy.shingle.unit: fuzzy.shingle.width},
            "ignore_shared": fuzzy.ignore_shared,
            "threshold": fuzzy.threshold,
        }
        if fuzzy
        else None,
    }


def _differing(made: dict[str, Any], asked: dict[str, Any]) -> tuple[str, str]:
    """What two sets of parameters have that is not in the other, by the names of the recipe's keys."""
    there, here = _named(made), _named(asked)
    return _without(there, here), _without(here, there)


def _named(parameters: dict[str, Any]) -> dict[str, Any]:
    rest = {key: value for key, value in parameters.items() if key != "fuzzy"}
    fuzzy = parameters["fuzzy"]
    return {**rest, **({f"fuzzy.{key}": value for key, value in fuzzy.items()} if fuzzy else {"fuzzy": None})}


def _without(one: dict[str, Any], other: dict[str, Any]) -> str:
    mine = {key: value for key, value in one.items() if key not in other or other[key] != value}
    return ", ".join(f"{key}: {json.dumps(mine[key])}" for key in sorted(mine))


def _file(name: str, path: Path) -> dict[str, Any]:
    return {"name": name, "bytes": path.stat().st_size, "blake3": fingerprint.of_file(path)}


def _copied(source: Path, target: Path) -> Path:
    with atomic_file(target) as beside:
        shutil.copyfile(source, beside)
    return target


def _whole(folder: Path, file: dict[str, Any]) -> Path:
    """The path of a file that has the size it should have."""
    path = folder / str(file["name"])
    if not path.exists() or path.stat().st_size != file["bytes"]:
        raise InputError(
            "a file of the index of duplicates is missing or damaged",
            where=str(path),
            mend="restore it from a copy, or point curate.dedup.index at a new folder",
        )
    return path


def _read(folder: Path, parameters: dict[str, Any]) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
    """The batches, and the file of the text that is left out."""
    path = folder / _MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        made, made_from = manifest["format"], manifest["parameters"]
        batches, shared = manifest["batches"], manifest.get("shared")
    except FileNotFoundError:
        return [], None
    except (ValueError, TypeError, KeyError):
        raise InputError(
            "the manifest of the index of duplicates is damaged",
            where=str(path),
            mend="restore it from a copy, or point curate.dedup.index at a new folder",
        ) from None
    old = made not in _READABLE
    if old or made_from != parameters:
        shown, wanted = (f"format {made}", f"format {FORMAT}") if old else _differing(made_from, parameters)
        raise InputError(
            f"the index of duplicates was made with {shown}, and this recipe asks for {wanted}",
            where=str(path),
            mend="set curate.dedup as it was, or point curate.dedup.index at a new folder",
        )
    return batches, shared


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """Hold the index for one append; the kernel lets go when the process ends, however it ends."""
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
