"""The Arrow schemas of every file that passes between stages, and the names they share."""

from __future__ import annotations

import pyarrow as pa

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

SIGNALS: dict[str, pa.DataType] = {
    "char_count": pa.int64(),
    "word_count": pa.int64(),
    "line_count": pa.int64(),
    "mean_word_length": pa.float64(),
    "duplicate_line_share": pa.float64(),
    "duplicate_paragraph_share": pa.float64(),
    "url_share": pa.float64(),
    "top_2gram_share": pa.float64(),
    "top_3gram_share": pa.float64(),
    "top_4gram_share": pa.float64(),
}
"""Numbers about a document, one column each; `pipeline.text.signals` defines and computes them."""

_SIGNAL_FIELDS = [pa.field(name, kind, nullable=False) for name, kind in SIGNALS.items()]

DOCUMENTS = pa.schema([*ROWS, *_SIGNAL_FIELDS])
"""A row after pass one: cleaned, redacted, measured; only rows that passed every rule."""

KEYS = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("priority", pa.int32(), nullable=False),  # of the source; higher is kept first
        pa.field("length", pa.int64(), nullable=False),  # characters; longer is kept first
        pa.field("digest", pa.binary(16), nullable=False),
        pa.field("sketch", pa.list_(pa.uint32())),  # fixed K values, or null without `fuzzy`
    ]
)
"""What deduplication reads instead of text; row i is row i of the documents part of the same number."""

CURATED = pa.schema([*ROWS, pa.field("cluster", pa.uint64(), nullable=False), *_SIGNAL_FIELDS])

LEDGER = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("stage", pa.string(), nullable=False),  # ingest|clean|filter|redact|exact|fuzzy
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
