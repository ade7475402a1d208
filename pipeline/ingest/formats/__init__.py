"""How one JSON object becomes a conversation: one adapter a format.

A new format is one file with a class like those here, and one line in `FORMATS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Protocol

from pipeline.config import Source
from pipeline.errors import RecipeError, did_you_mean
from pipeline.ingest.exact_json import Record
from pipeline.ingest.formats.chat import Chat
from pipeline.ingest.formats.completion import Completion
from pipeline.ingest.formats.conversation import Conversation
from pipeline.ingest.formats.text import Text
from pipeline.ingest.plain import Strings

__all__ = ["FORMATS", "Adapter", "adapter_for"]


class Adapter(Protocol):
    """Reads rows of one format; made once a source.

    Args:
        columns: the file's name of each of `keys`.
    """

    kinds: ClassVar[tuple[str, ...]]
    """What rows of this format may be."""
    keys: ClassVar[tuple[str, ...]]
    """The format's own names for the keys it reads."""
    strings: Strings
    """How `read` makes a row of strings that stand under its keys, for `plain`; empty where there is more to it."""

    def __init__(self, columns: Mapping[str, str]) -> None: ...

    def read(self, record: Record) -> Conversation:
        """Make a conversation of one row, or raise `Rejected`."""
        ...


FORMATS: dict[str, type[Adapter]] = {"text": Text, "completion": Completion, "chat": Chat}


def adapter_for(source: Source) -> Adapter:
    """The adapter that a source's `format`, `kind` and `columns` ask for; a target's rows have their kind's format.

    Raises:
        RecipeError: the three do not go together.
    """
    name: str | None = source.format
    if name is None or name == "rows":
        if source.path is not None:
            raise RecipeError(
                "`format: rows` is for what a target yields",
                where=f"source {source.name}",
                mend="give the format of the file's lines: " + ", ".join(FORMATS),
            )
        name = next(name for name, adapter in FORMATS.items() if source.kind in adapter.kinds)
    adapter = FORMATS[name]
    if source.kind not in adapter.kinds:
        fitting = [other for other, its in FORMATS.items() if source.kind in its.kinds]
        raise RecipeError(
            f"format {name} holds rows of kind {' or '.join(adapter.kinds)}, not {source.kind}",
            where=f"source {source.name}",
            mend=f"set kind to {' or '.join(adapter.kinds)}, or format to {' or '.join(fitting)}",
        )
    for key in source.columns:
        if key not in adapter.keys:
            raise RecipeError(
                f"format {name} reads no key {key!r}{did_you_mean(key, adapter.keys)}",
                where=f"source {source.name}, columns",
                mend=f"`columns` gives the file's names for: {', '.join(adapter.keys)}",
            )
    return adapter({key: source.columns.get(key, key) for key in adapter.keys})
