"""Redact personal data in message contents and in the string values of a row's JSON columns."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

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
    counts = np.zeros(len(ENTITIES), dtype=np.int64)

    def tagged(texts: pa.LargeStringArray) -> pa.LargeStringArray:
        redacted, found = engine.redact(texts, entities)
        counts[:] += found.sum(axis=0)
        return redacted

    messages = table["messages"].combine_chunks()
    contents = tagged(contents_of(messages))
    extras = None
    if pii.metadata == "redact":
        extras = _redact_json(extras_of(messages), tagged).cast(pa.string())
        for name in ("tools", "metadata"):
            column = _redact_json(table[name].combine_chunks(), tagged)
            table = table.set_column(table.schema.get_field_index(name), table.schema.field(name), column)
    place = table.schema.get_field_index("messages")
    table = table.set_column(place, table.schema.field("messages"), with_contents(messages, contents, extras))
    return table, {name: int(count) for name, count in zip(ENTITIES, counts, strict=True) if name in entities}


def _redact_json(column: pa.Array, tagged: Callable[[pa.LargeStringArray], pa.LargeStringArray]) -> pa.Array:
    """Redact the strings in a column of JSON texts; everything else stays as it is, byte for byte.

    The kernel looks at the raw JSON first. Only texts in which it finds something, or which hold escapes that could
    hide something, are taken apart into string literals, and all literals are redacted in one batch.
    """
    column = column.cast(pa.large_string())
    present = pc.fill_null(column, "")
    suspicious = pc.or_(pc.not_equal(tagged(present), present), pc.match_substring(present, "\\"))
    where = np.flatnonzero(suspicious.to_numpy(zero_copy_only=False))
    if not len(where):
        return column
    texts = present.take(pa.array(where)).to_pylist()
    literals = [literal for text in texts for literal in _LITERAL.findall(text)]
    strings = [json.loads(literal) for literal in literals]
    redacted = tagged(pa.array(strings, pa.large_string())).to_pylist()
    replacements = iter(
        literal if new == old else json.dumps(new, ensure_ascii=False)
        for literal, old, new in zip(literals, strings, redacted, strict=True)
    )
    rewritten = [_LITERAL.sub(lambda _: next(replacements), text) for text in texts]
    mask = np.zeros(len(column), dtype=np.bool_)
    mask[where] = True
    return pc.replace_with_mask(column, pa.array(mask), pa.array(rewritten, pa.large_string()))


_LITERAL = re.compile(r'"(?:[^"\\]|\\.)*"')
"""A string literal in a JSON text that is known to be valid."""
