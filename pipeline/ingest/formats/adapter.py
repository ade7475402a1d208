"""What a format is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Protocol

from pipeline.config import Source
from pipeline.ingest.exact_json import Record
from pipeline.ingest.formats.conversation import Conversation
from pipeline.ingest.plain import Strings
from pipeline.ingest.rejected import Rejected

__all__ = ["Adapter", "Format", "Read"]

Read = Conversation | list[Conversation | Rejected]
"""One row; or, of a record that holds several, each of them or why it is none."""


class Adapter(Protocol):
    """Reads the rows of a source."""

    needed: tuple[str, ...]
    """The file's names of the keys that every row has, to look for them among a table's columns."""
    strings: Strings
    """How `read` makes a row of strings that stand under its keys, for `plain`; empty where there is more to it."""

    def read(self, record: Record) -> Read:
        """Make a conversation of one record, or several, or raise `Rejected`."""
        ...


class Format(Adapter, Protocol):
    """A kind of adapter; one is made for each source.

    Args:
        source: whose rows they are.
        columns: the file's name of each of `keys`, and of those of `optional` that the source names.
    """

    kinds: ClassVar[tuple[str, ...]]
    """What rows of this format may be."""
    keys: ClassVar[tuple[str, ...]]
    """The format's own names for the keys it reads."""
    optional: ClassVar[tuple[str, ...]]
    """Its names for keys that are read only where the source's `columns` name them."""

    def __init__(self, source: Source, columns: Mapping[str, str]) -> None: ...
