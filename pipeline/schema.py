"""The Arrow schemas of every file that passes between stages, and the names they share."""

from __future__ import annotations

import pyarrow as pa

from pipeline import signals

__all__ = [
    "BINS",
    "CURATED",
    "DOCUMENTS",
    "KEYS",
    "KINDS",
    "LEDGER",
    "MESSAGE",
    "MESSAGES",
    "ROWS",
    "SIGNALS",
    "SPLITS",
    "VERDICTS",
]

KINDS = ("text", "code", "pair", "chat", "retrieval")
"""What a row is. `text` and `code` are one message with role `text`; the others are conversations."""

SPLITS = ("train", "validation", "test")

MESSAGE = pa.struct(
    [
        pa.field("role", pa.string(), nullable=False),
        pa.field("content", pa.large_string(), nullable=False),
        pa.field("extra", pa.string()),  # exact JSON of the message's other keys, or null
    ]
)
MESSAGES = pa.list_(pa.field("item", MESSAGE, nullable=False))

ROWS = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),  # <source>/<shard>#<row>, rows counted from 0
        pa.field("source", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("messages", MESSAGES, nullable=False),
        pa.field("tools", pa.large_string()),  # exact JSON, or null
        pa.field("metadata", pa.large_string()),  # exact JSON of every other key of the row, or null
    ]
)
"""A row as ingest makes it."""

_TYPES = {"int64": pa.int64(), "float64": pa.float64(), "string": pa.string()}

SIGNALS: dict[str, pa.DataType] = {name: _TYPES[signal.type] for name, signal in signals.SIGNALS.items()}
"""Numbers (or codes) about a document, one column each; `pipeline.signals` defines them. What a recipe does not measure
is NaN, or null."""

_SIGNAL_FIELDS = [pa.field(name, kind, nullable=kind == pa.string()) for name, kind in SIGNALS.items()]

DOCUMENTS = pa.schema([*ROWS, *_SIGNAL_FIELDS])
"""A row after pass one: cleaned, redacted, measured; only rows that passed every rule."""

VERDICTS = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        *_SIGNAL_FIELDS,
        pa.field("failed", pa.list_(pa.field("item", pa.string(), nullable=False)), nullable=False),
    ]
)
"""A row that reached the rules, kept or dropped: its signals and the rules it fails, by name; never its text."""

KEYS = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("priority", pa.int32(), nullable=False),  # of the source; higher is kept first
        pa.field("length", pa.int64(), nullable=False),  # characters; longer is kept first
        pa.field("digest", pa.binary(16), nullable=False),
        pa.field("sketch", pa.large_binary()),  # K values, each a little-endian uint32; null without `fuzzy`
    ]
)
"""What deduplication reads instead of text; row i is row i of the documents part of the same number."""

CURATED = pa.schema([*ROWS, pa.field("cluster", pa.uint64(), nullable=False), *_SIGNAL_FIELDS])

LEDGER = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        # ingest|clean|redact|filter|decontaminate|exact|fuzzy|substrings
        pa.field("stage", pa.string(), nullable=False),
        pa.field("rule", pa.string(), nullable=False),
        pa.field("value", pa.float64()),
        pa.field("threshold", pa.float64()),
        pa.field("evidence", pa.string()),  # the id kept instead, file and line, …; never raw PII
    ]
)
"""One line for each rule that a dropped row failed; a rejected or duplicate row has one."""

BINS = pa.schema(
    [
        pa.field("tokens", pa.list_(pa.uint32()), nullable=False),
        pa.field("loss", pa.list_(pa.bool_()), nullable=False),  # the token is a target
        pa.field("starts", pa.list_(pa.uint32()), nullable=False),  # where each example begins
        pa.field("rows", pa.list_(pa.string()), nullable=False),  # the row id of each example
    ]
)
"""A packed sequence: full ids, not shifted and not padded; the trainer shifts within each example."""
