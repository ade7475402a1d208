"""Redact personal data in message contents and in the string values of a row's JSON columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.config import Pii
from pipeline.curate.messages import contents_of, extras_of, with_contents
from pipeline.engines import ENTITIES, Engine

__all__ = ["entities_of", "redact"]


def entities_of(pii: Pii) -> tuple[str, ...]:
    """What is looked for, in the order of `ENTITIES`."""
    return ENTITIES if pii.entities == "all" else tuple(name for name in ENTITIES if name in pii.entities)


def redact(table: pa.Table, pii: Pii, engine: Engine) -> tuple[pa.Table, dict[str, int]]:
    """Put tags in place of personal data in contents, `metadata`, `extra` and `tools`.

    Returns:
        The table, and entity → number of replacements.
    """
    entities = entities_of(pii)
    messages = table["messages"].combine_chunks()
    contents, found = engine.redact(contents_of(messages), entities)
    counts = found.sum(axis=0)
    extras = None
    if pii.metadata == "redact":
        extras, found = _redact_json(extras_of(messages), entities, engine)
        extras = extras.cast(pa.string())
        counts += found
        for name in ("tools", "metadata"):
            column, found = _redact_json(table[name].combine_chunks(), entities, engine)
            counts += found
            table = table.set_column(table.schema.get_field_index(name), table.schema.field(name), column)
    place = table.schema.get_field_index("messages")
    table = table.set_column(place, table.schema.field("messages"), with_contents(messages, contents, extras))
    return table, {name: int(count) for name, count in zip(ENTITIES, counts, strict=True) if name in entities}


def _redact_json(column: pa.Array, entities: Sequence[str], engine: Engine) -> tuple[pa.LargeStringArray, np.ndarray]:
    """Redact a column of JSON texts, nulls among them: large_string [rows], and replacements: int64 [ENTITIES]."""
    column = column.cast(pa.large_string())
    redacted, found = engine.redact_json(pc.fill_null(column, ""), entities)
    if column.null_count:
        redacted = pc.if_else(pc.is_valid(column), redacted, pa.scalar(None, pa.large_string()))
    return redacted, found.sum(axis=0)
