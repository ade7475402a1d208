"""What a folder of a run holds: its parts, where rows went, and what all of it was made from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline import fingerprint
from pipeline.errors import RunDirectoryError

__all__ = ["MANIFEST", "Manifest", "PartFile", "PartRecord", "Rows"]

MANIFEST = "_manifest.json"


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
    blake3: str


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
            [[part["name"], part["blake3"]] for part in self.parts if part["name"].startswith(folder)]
        )

    @classmethod
    def read(cls, folder: Path) -> Manifest | None:
        """The manifest of `folder`, or None where it has none."""
        try:
            manifest = cls(**json.loads((folder / MANIFEST).read_text(encoding="utf-8")))
            if any("blake3" not in part for part in manifest.parts):
                raise ValueError("it has no BLAKE3 of its files, as those of earlier versions")
            return manifest
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as error:
            raise RunDirectoryError(
                f"the manifest cannot be used: {error}",
                where=str(folder / MANIFEST),
                mend="delete that folder and run the same command again",
            ) from None
