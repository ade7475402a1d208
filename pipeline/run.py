"""A run lives in one directory: manifests, fingerprints, atomic parts, resume.

    run = RunDirectory.open(recipe)
    stage = Stage(run, name="documents", version=1, config={…}, inputs={…}, folders=("documents", "keys"))
    if stage.manifest() is None:                    # not there, or made from something else: `stage.why()`
        done = stage.begin()                        # parts that a killed run finished, by name
        …for every other part, on any worker: write the files atomically, then stage.commit(name, files, counts)
        stage.finish(rows={…}, summary={…})         # the manifests, last

A part's *record* (`<folder>/_parts/<part>.json`) is written after its files, so a part counts only when
every file of it is whole. `finish` turns the records into one `_manifest.json` in each folder. Nothing in
a folder depends on time, machine or order of work: an interrupted and resumed run ends with the same bytes.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pipeline import fingerprint
from pipeline.atomic import remove_temporaries, write_json, write_text
from pipeline.config import Recipe
from pipeline.errors import RunDirectoryError, cannot_write
from pipeline.recipe import dump_recipe, load_recipe

__all__ = ["Manifest", "PartRecord", "Rows", "RunDirectory", "Stage"]

MANIFEST = "_manifest.json"
_PARTS = "_parts"


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Where rows went; `in_ = kept + dropped + rejected` holds for every stage."""

    in_: int
    kept: int
    dropped: int
    rejected: int = 0

    def check(self, stage: str) -> None:
        """Raise where rows were lost or made."""
        if self.in_ != self.kept + self.dropped + self.rejected:
            raise RunDirectoryError(
                f"{stage}: {self.in_} rows in, but {self.kept} kept + {self.dropped} dropped "
                f"+ {self.rejected} rejected",
                mend="this is a defect of the project: please report it with the run's manifests",
            )

    def to_json(self) -> dict[str, int]:
        """The form that a manifest holds."""
        return {"in": self.in_, "kept": self.kept, "dropped": self.dropped, "rejected": self.rejected}

    @classmethod
    def from_json(cls, value: Mapping[str, int]) -> Rows:
        """Read the form that a manifest holds."""
        return cls(in_=value["in"], kept=value["kept"], dropped=value["dropped"], rejected=value["rejected"])


@dataclass(frozen=True, kw_only=True)
class PartFile:
    """A file of a part: path below the run directory, rows (0 where it has none), bytes, content fingerprint."""

    name: str
    rows: int
    bytes: int
    blake2b: str


@dataclass(frozen=True, kw_only=True)
class PartRecord:
    """A finished part: its files and what was counted while making it (JSON values only)."""

    part: str
    files: tuple[PartFile, ...]
    counts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a folder holds and what it was made from."""

    stage: str
    version: int
    fingerprint: str
    config: dict[str, Any]
    inputs: dict[str, Any]
    parts: list[dict[str, Any]]
    rows: dict[str, int] | None
    summary: dict[str, Any]

    @property
    def content(self) -> str:
        """Fingerprint of the files themselves: what a later stage takes as its input."""
        return self.content_of("")

    def content_of(self, folder: str) -> str:
        """Fingerprint of the files below one folder of the run."""
        return fingerprint.of_value(
            [[part["name"], part["blake2b"]] for part in self.parts if part["name"].startswith(folder)]
        )

    @classmethod
    def read(cls, folder: Path) -> Manifest | None:
        """The manifest of `folder`, or None where it has none."""
        try:
            return cls(**json.loads((folder / MANIFEST).read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as error:
            raise RunDirectoryError(
                f"the manifest is damaged: {error}",
                where=str(folder / MANIFEST),
                mend="delete that folder and run the same command again",
            ) from None


class RunDirectory:
    """The folder of one run."""

    def __init__(self, root: Path) -> None:
        # Absolute: workers may have another working directory than the command.
        self.root = root.absolute()

    @classmethod
    def open(cls, recipe: Recipe) -> RunDirectory:
        """Make or reopen the directory that the recipe names, and write the resolved recipe into it.

        Raises:
            RunDirectoryError: it holds another recipe's run, or something that is no run at all.
        """
        run = cls(Path(recipe.run))
        run.check_owner(recipe)
        run.root.mkdir(parents=True, exist_ok=True)
        remove_temporaries(run.root)
        text = f"# fingerprint: {recipe.fingerprint()}\n{dump_recipe(recipe)}"
        if not run.recipe_path.exists() or run.recipe_path.read_text(encoding="utf-8") != text:
            write_text(run.recipe_path, text)
        return run

    @classmethod
    def existing(cls, root: str | Path) -> tuple[RunDirectory, Recipe]:
        """Open a run that was made before, with the recipe it holds."""
        run = cls(Path(root))
        if not run.recipe_path.exists():
            raise RunDirectoryError(
                "this is not a run directory: it has no recipe.yaml",
                where=str(root),
                mend="give the directory that `run:` in the recipe names",
            )
        return run, load_recipe(run.recipe_path)

    def check_owner(self, recipe: Recipe) -> None:
        """Raise if the directory holds the run of a recipe with other sources, or anything else."""
        if self.root.exists() and not self.root.is_dir():
            raise RunDirectoryError("the run directory is a file", where=str(self.root), mend="change `run:`")
        if not self.recipe_path.exists():
            others = [path.name for path in self.root.iterdir()] if self.root.is_dir() else []
            if [name for name in others if not name.startswith(".")]:
                raise RunDirectoryError(
                    f"the run directory holds something else ({sorted(others)[0]}, …)",
                    where=str(self.root),
                    mend="point `run:` at a new or empty folder",
                )
            return
        owner = load_recipe(self.recipe_path)
        if [source.model_dump() for source in owner.sources] != [source.model_dump() for source in recipe.sources]:
            raise RunDirectoryError(
                "the run directory belongs to another recipe: its sources are "
                + ", ".join(source.name for source in owner.sources),
                where=str(self.recipe_path),
                mend="give this recipe a `run:` of its own, or delete that directory",
            )

    @property
    def shown(self) -> Path:
        """The root as a person would write it: relative where it lies below the working directory."""
        here = Path.cwd()
        return self.root.relative_to(here) if self.root.is_relative_to(here) else self.root

    @property
    def recipe_path(self) -> Path:
        """The resolved recipe."""
        return self.root / "recipe.yaml"

    @property
    def logs(self) -> Path:
        """The folder of logs: the only files of a run that depend on time and machine."""
        return self.root / "logs"

    def path(self, name: str) -> Path:
        """A file or folder of the run."""
        return self.root / name

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the directory for this process; the kernel lets go when the process ends, however it ends.

        Raises:
            RunDirectoryError: another process holds it.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.root / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise cannot_write(error, str(self.root)) or error from None
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                holder = os.read(handle, 200).decode(errors="replace").strip() or "another process"
                raise RunDirectoryError(
                    f"the run directory is in use by {holder}",
                    where=str(self.root),
                    mend="wait for it, stop it, or give this run a `run:` of its own",
                ) from None
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
            yield
        finally:
            os.close(handle)


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A step of a run whose output is reused while what it was made from is unchanged.

    `folders[0]` holds the records while the stage runs and the manifest that decides on reuse. A stage may
    share a top-level folder with no other stage.
    """

    run: RunDirectory
    name: str
    version: int
    config: Mapping[str, Any]
    inputs: Mapping[str, Any]
    folders: Sequence[str]

    @property
    def fingerprint(self) -> str:
        """Of name, version, configuration and inputs."""
        return fingerprint.of_value(
            {"stage": self.name, "version": self.version, "config": dict(self.config), "inputs": dict(self.inputs)}
        )

    def manifest(self) -> Manifest | None:
        """The manifest of a finished output that can be reused; None means: run the stage (see `why`)."""
        return Manifest.read(self._home) if self.why() is None else None

    def why(self) -> str | None:
        """Why the stage must run, or None if its output can be reused."""
        manifest = Manifest.read(self._home)
        if manifest is None:
            return "it was interrupted" if self._records.exists() else "it has not run"
        if manifest.version != self.version:
            return f"the stage's version changed ({manifest.version} → {self.version})"
        if manifest.fingerprint != self.fingerprint:
            changes = _differences("", {**manifest.config, "inputs": manifest.inputs}, self._made_from())
            return "changed: " + ", ".join(changes[:3]) + (", …" if len(changes) > 3 else "")
        for folder in self.folders[1:]:
            other = Manifest.read(self.run.path(folder))
            if other is None or other.fingerprint != self.fingerprint:
                return f"{folder} is incomplete"
        for file in manifest.parts:
            path = self.run.path(file["name"])
            if not path.exists() or path.stat().st_size != file["bytes"]:
                return f"{file['name']} is missing or damaged"
        return None

    def begin(self) -> dict[str, PartRecord]:
        """Clear what was made from something else; return the parts that an interrupted run finished."""
        owner = self._records / "_fingerprint"
        resumed = owner.exists() and owner.read_text(encoding="utf-8") == self.fingerprint
        if not resumed:
            for folder in self.folders:
                shutil.rmtree(self.run.path(folder), ignore_errors=True)
            write_text(owner, self.fingerprint)
        for folder in self.folders:
            (self.run.path(folder) / MANIFEST).unlink(missing_ok=True)
            for path in [self.run.path(folder), *self.run.path(folder).rglob("*/")]:
                remove_temporaries(path)
        return {record.part: record for record in self._finished() if self._is_whole(record)}

    def commit(self, part: str, files: Mapping[str, int], counts: Mapping[str, Any]) -> PartRecord:
        """Record a part whose files (path below the run directory → rows) are written; call it on any worker."""
        record = PartRecord(
            part=part,
            files=tuple(
                PartFile(
                    name=name,
                    rows=rows,
                    bytes=self.run.path(name).stat().st_size,
                    blake2b=fingerprint.of_file(self.run.path(name)),
                )
                for name, rows in files.items()
            ),
            counts=dict(counts),
        )
        write_json(self._records / f"{part}.json", asdict(record))
        return record

    def finish(
        self, *, rows: Rows | None = None, summary: Mapping[str, Any] | None = None, parts: int | None = None
    ) -> Manifest:
        """Write the manifests, the deciding one last, and drop the records.

        Args:
            rows: where rows went, over all parts.
            summary: JSON values for later stages and the report.
            parts: how many parts were made, to be held against the records.

        Raises:
            RunDirectoryError: `rows` do not add up, or workers wrote somewhere else.
        """
        records = self._finished()
        if parts is not None and len(records) != parts:
            raise RunDirectoryError(
                f"{self.name}: {parts} parts were made, and the run directory has {len(records)} of them",
                where=str(self._home),
                mend="workers must see the same run directory: put `run:` on storage that all of them share",
            )
        if rows is not None:
            rows.check(self.name)
        files = [asdict(file) for record in records for file in record.files]
        for folder in reversed(self.folders):
            manifest = Manifest(
                stage=self.name,
                version=self.version,
                fingerprint=self.fingerprint,
                config=dict(self.config),
                inputs=dict(self.inputs),
                parts=files if folder == self.folders[0] else [f for f in files if f["name"].startswith(f"{folder}/")],
                rows=rows.to_json() if rows else None,
                summary=dict(summary or {}),
            )
            write_json(self.run.path(folder) / MANIFEST, asdict(manifest))
        shutil.rmtree(self._records, ignore_errors=True)
        return manifest

    @property
    def _home(self) -> Path:
        return self.run.path(self.folders[0])

    @property
    def _records(self) -> Path:
        return self._home / _PARTS

    def _made_from(self) -> dict[str, Any]:
        # Through JSON, so that tuples and lists compare equal to what the manifest holds.
        return json.loads(json.dumps({**self.config, "inputs": dict(self.inputs)}))  # type: ignore[no-any-return]

    def _finished(self) -> list[PartRecord]:
        found = []
        for path in sorted(self._records.glob("*.json")):
            value = json.loads(path.read_text(encoding="utf-8"))
            value["files"] = tuple(PartFile(**file) for file in value["files"])
            found.append(PartRecord(**value))
        return found

    def _is_whole(self, record: PartRecord) -> bool:
        for file in record.files:
            path = self.run.path(file.name)
            if not path.exists() or path.stat().st_size != file.bytes or fingerprint.of_file(path) != file.blake2b:
                (self._records / f"{record.part}.json").unlink()
                return False
        return True


def _differences(at: str, old: Any, new: Any) -> list[str]:
    """Dotted keys whose values differ, with both values where they are short."""
    if isinstance(old, dict) and isinstance(new, dict):
        found = []
        for key in sorted({*old, *new}):
            found += _differences(f"{at}.{key}" if at else str(key), old.get(key), new.get(key))
        return found
    if old == new:
        return []
    shown = f" {old} → {new}" if len(f"{old}{new}") < 60 else ""
    return [f"{at}{shown}"]
