"""A step of a run: reused while what it was made from is unchanged, resumed part by part."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline import fingerprint
from pipeline.atomic import remove_temporaries, write_json, write_text
from pipeline.errors import RunDirectoryError
from pipeline.run.differences import differences
from pipeline.run.directory import RunDirectory
from pipeline.run.manifest import MANIFEST, Manifest, PartFile, PartRecord, Rows

__all__ = ["Stage"]

_PARTS = "_parts"


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
            changes = differences("", {**manifest.config, "inputs": manifest.inputs}, self._made_from())
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
        self._tidy()
        return self.finished()

    def finished(self) -> dict[str, PartRecord]:
        """The parts that are there and whole; a record whose files are not is removed."""
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
                    blake3=fingerprint.of_file(self.run.path(name)),
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
        self._tidy()  # of workers that were lost on the way, and whose parts others made
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

    def _tidy(self) -> None:
        for folder in self.folders:
            for path in [self.run.path(folder), *self.run.path(folder).rglob("*/")]:
                remove_temporaries(path)

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
            if any("blake3" not in file for file in value["files"]):  # an earlier version's
                path.unlink()
                continue
            value["files"] = tuple(PartFile(**file) for file in value["files"])
            found.append(PartRecord(**value))
        return found

    def _is_whole(self, record: PartRecord) -> bool:
        for file in record.files:
            path = self.run.path(file.name)
            if not path.exists() or path.stat().st_size != file.bytes or fingerprint.of_file(path) != file.blake3:
                (self._records / f"{record.part}.json").unlink()
                return False
        return True
