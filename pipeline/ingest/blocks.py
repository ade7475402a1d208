"""Blocks: ranges of whole lines, and how they are grouped into parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pipeline.config import Source

__all__ = ["Block", "Survey", "plan_parts"]


@dataclass(frozen=True, kw_only=True)
class Block:
    """Whole rows of one shard, that any worker can read by itself."""

    source: Source
    shard: str
    """The shard's path below the source's root, with `/`; for a target the name that the target gives it."""
    location: str
    """The path to open, or empty for a target."""
    container: str = "jsonl"
    """How the file holds its rows: a name of `containers.CONTAINERS`; for a target `target`."""
    offset: int
    """Where the block begins: a byte of the raw file, a row group of Parquet, a member of a zip archive."""
    length: int
    """How much of the raw file it is, in the same units; -1 is to the end, or as far as `take` goes."""
    first_row: int
    """The number of the block's first row, from 0. A blank line has a number but is no row."""
    bytes: int
    """Unpacked size, for planning; of a `.gz` file what its last four bytes say."""
    skip: int = 0
    """Unpacked bytes between `offset` and the first row, where a packed file is cut."""
    take: int = -1
    """Unpacked bytes of the rows; -1 is to the end."""
    lines: int | None = None
    """How many rows it holds, blank lines too; None where only reading it tells: packed files and targets."""
    header: tuple[str, ...] = ()
    """The names of a CSV file's columns."""
    constants: tuple[tuple[str, str], ...] = ()
    """Keys that every row has and no file holds, with their exact JSON: the partition of a Delta table."""
    wanted: tuple[int, int] | None = None
    """The first number of a row and the one past the last, where a slice of a split wants only some."""

    @property
    def place(self) -> str:
        """How a person finds the block: the file's path, or the target and its shard."""
        return self.location or f"{self.source.target} {self.shard}"


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What a source holds."""

    blocks: tuple[Block, ...]
    """In the order of the shards' names, then of the rows."""
    fingerprint: str
    """Of everything that decides the rows: names and contents of files, or code, arguments and shards of a target."""
    shards: dict[str, str] = field(default_factory=dict)
    """Name of a shard → fingerprint of its content."""


def plan_parts(surveys: Sequence[Survey], part_bytes: int) -> list[tuple[Block, ...]]:
    """Group consecutive blocks into parts of at most `part_bytes`, where a single block is not larger.

    Sources keep the order of `surveys`; the same surveys always give the same parts. A part may hold blocks of
    more than one source.
    """
    parts: list[tuple[Block, ...]] = []
    group: list[Block] = []
    size = 0
    for block in (block for survey in surveys for block in survey.blocks):
        if group and size + block.bytes > part_bytes:
            parts.append(tuple(group))
            group, size = [], 0
        group.append(block)
        size += block.bytes
    if group:
        parts.append(tuple(group))
    return parts
