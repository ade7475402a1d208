"""A raw file of a source: its name in the rows' ids, and where it lies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pipeline.config import Source
from pipeline.ingest.blocks import Block

__all__ = ["Shard"]


@dataclass(frozen=True, kw_only=True)
class Shard:
    """One file."""

    name: str
    """Its path below the source's root, with `/`."""
    location: str
    """The path or URL to open."""
    constants: tuple[tuple[str, str], ...] = ()
    """As of `Block`."""
    version: str | None = None
    """What names its content, where that is known without reading it: a commit of the hub."""

    def block(self, source: Source, container: str, *, bytes: int, **where: Any) -> Block:
        """A block of it; the whole file unless `where` says otherwise."""
        place: dict[str, Any] = {"offset": 0, "length": -1, "first_row": 0, **where}
        return Block(
            source=source,
            shard=self.name,
            location=self.location,
            container=container,
            bytes=bytes,
            constants=self.constants,
            **place,
        )
