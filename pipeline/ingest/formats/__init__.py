"""How one JSON object becomes a conversation: one adapter a format.

A new format is one file with a class like those here, one line in `FORMATS`, and its name in `config/sources.py`.
"""

from __future__ import annotations

from pipeline.config import Source
from pipeline.errors import RecipeError, did_you_mean
from pipeline.ingest.formats.adapter import Adapter, Format, Read
from pipeline.ingest.formats.alpaca import Alpaca
from pipeline.ingest.formats.chat import Chat
from pipeline.ingest.formats.columns import Columns
from pipeline.ingest.formats.completion import Completion
from pipeline.ingest.formats.hellaswag import HellaSwag
from pipeline.ingest.formats.openassistant import OpenAssistant
from pipeline.ingest.formats.retrieval import Retrieval
from pipeline.ingest.formats.sharegpt import ShareGpt
from pipeline.ingest.formats.squad import Squad
from pipeline.ingest.formats.system import WithSystem
from pipeline.ingest.formats.text import Text

__all__ = ["FORMATS", "SEVERAL", "Adapter", "Read", "adapter_for"]

FORMATS: dict[str, type[Format]] = {
    "text": Text,
    "code": Text,
    "completion": Completion,
    "alpaca": Alpaca,
    "columns": Columns,
    "hellaswag": HellaSwag,
    "squad": Squad,
    "chat": Chat,
    "sharegpt": ShareGpt,
    "openassistant": OpenAssistant,
    "retrieval": Retrieval,
}

SEVERAL = ("squad", "openassistant")
"""Formats of which one record may hold several rows."""

_OF_TARGETS = {"text": "text", "code": "text", "pair": "completion", "chat": "chat", "retrieval": "retrieval"}
"""Kind → the format of the rows that a target yields, unless its source names another."""


def adapter_for(source: Source) -> Adapter:
    """The adapter that a source's `format`, `kind` and `columns` ask for; a target's rows have their kind's format.

    Raises:
        RecipeError: the three do not go together.
    """
    name: str | None = source.format
    if name is None or name == "rows":
        if source.target is None:
            raise RecipeError(
                "`format: rows` is for what a target yields",
                where=f"source {source.name}",
                mend="give the format of the file's rows: " + ", ".join(FORMATS),
            )
        name = _OF_TARGETS[source.kind]
    format = FORMATS[name]
    if source.kind not in format.kinds:
        fitting = [other for other, its in FORMATS.items() if source.kind in its.kinds]
        raise RecipeError(
            f"format {name} holds rows of kind {' or '.join(format.kinds)}, not {source.kind}",
            where=f"source {source.name}",
            mend=f"set kind to {' or '.join(format.kinds)}, or format to {' or '.join(fitting)}",
        )
    known = (*format.keys, *format.optional)
    for key in source.columns:
        if key not in known:
            raise RecipeError(
                f"format {name} reads no key {key!r}{did_you_mean(key, known)}",
                where=f"source {source.name}, columns",
                mend=f"`columns` gives the file's names for: {', '.join(known)}",
            )
    adapter = format(source, {key: key for key in format.keys} | source.columns)
    return adapter if source.system_prompt is None else WithSystem(adapter, source.system_prompt)
