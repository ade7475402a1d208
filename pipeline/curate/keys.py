"""What deduplication reads instead of text: a digest, a sketch and what ranks a row among its copies."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.config import Recipe
from pipeline.curate.messages import bordered_messages, whole_messages
from pipeline.engines import Engine
from pipeline.schema import KEYS

__all__ = ["keys_of"]


def keys_of(table: pa.Table, recipe: Recipe, engine: Engine) -> pa.Table:
    """Take digest, sketch and rank of every row.

    Args:
        table: rows of `schema.DOCUMENTS`.
        recipe: of the run.
        engine: that hashes.

    Returns:
        `schema.KEYS`, row for row.
    """
    fuzzy = recipe.curate.dedup.fuzzy
    messages = table["messages"].combine_chunks()
    texts = engine.join(whole_messages(messages))
    tools = pc.fill_null(table["tools"].combine_chunks(), "")
    texts = pc.binary_join_element_wise(texts, tools, pa.scalar("", pa.large_string()))
    normal = engine.normalise(texts)
    # Case and indentation are meaning everywhere but in running text.
    running = pc.equal(table["kind"].combine_chunks(), "text")
    exact = pc.binary_join_element_wise(engine.join(bordered_messages(messages)), tools, pa.scalar("\x1d", tools.type))
    digests = engine.digest(pc.if_else(running, normal, exact), normalised=True)
    sketches = pa.nulls(len(table), KEYS.field("sketch").type)
    if fuzzy is not None:
        values = engine.sketch(normal, values=fuzzy.sketch, shingle=fuzzy.shingle)
        offsets = np.arange(len(table) + 1, dtype=np.int32) * fuzzy.sketch
        sketches = pa.ListArray.from_arrays(pa.array(offsets), pa.array(values.reshape(-1)))
    names = [source.name for source in recipe.sources]
    priorities = pa.array([source.priority for source in recipe.sources], pa.int32())
    return pa.table(
        {
            "id": table["id"],
            "priority": priorities.take(pc.index_in(table["source"].combine_chunks(), pa.array(names))),
            "length": table["char_count"],
            "digest": pa.FixedSizeBinaryArray.from_buffers(
                pa.binary(16), len(table), [None, pa.py_buffer(np.ascontiguousarray(digests))]
            ),
            "sketch": sketches,
        },
        schema=KEYS,
    )
