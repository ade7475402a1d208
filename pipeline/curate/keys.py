"""What deduplication reads instead of text: a digest, a sketch and what ranks a row among its copies."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.config import Recipe
from pipeline.curate.dedup.texts import Compared, compared
from pipeline.curate.messages import contents_of, extras_of, one_array
from pipeline.engines import Engine
from pipeline.schema import KEYS

__all__ = ["keys_of", "sketch_column"]


def keys_of(table: pa.Table, recipe: Recipe, engine: Engine) -> pa.Table:
    """Take digest, sketch and rank of every row.

    Args:
        table: rows of `schema.DOCUMENTS`.
        recipe: of the run.
        engine: that hashes.

    Returns:
        `schema.KEYS`, row for row.
    """
    dedup = recipe.curate.dedup
    # What many rows share is known when all rows are; sketches are made then.
    fuzzy = dedup.fuzzy if dedup.fuzzy and dedup.fuzzy.ignore_shared is None else None
    part = compared(table, dedup.on)
    kinds = one_array(table["kind"])
    text, code = (pc.equal(kinds, kind).to_numpy(zero_copy_only=False) for kind in ("text", "code"))
    digests = np.empty((len(table), 16), np.uint8)
    sketches = None
    if fuzzy is not None or text.any():
        shape: dict[str, Any] = {}
        if fuzzy is not None:
            shape = {"values": fuzzy.sketch, "shingle": fuzzy.shingle.width, "unit": fuzzy.shingle.unit}
        whole, sketches = engine.fingerprints(part.texts(engine), digests=bool(text.any()), **shape)
        digests = digests if whole is None else whole
    for rows in (code, ~(text | code)):
        if rows.any():
            # Indentation and case are meaning in code: two programs that differ in them are no copies.
            digests[rows] = _digests_of_pieces(part.only(rows, engine), engine, normalise=rows is not code)
    names = [source.name for source in recipe.sources]
    priorities = pa.array([source.priority for source in recipe.sources], pa.int32())
    return pa.table(
        {
            "id": table["id"],
            "priority": priorities.take(pc.index_in(one_array(table["source"]), pa.array(names))),
            "length": table["char_count"],
            "digest": pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), len(table), [None, pa.py_buffer(digests)]),
            "sketch": pa.nulls(len(table), KEYS.field("sketch").type) if sketches is None else sketch_column(sketches),
        },
        schema=KEYS,
    )


def _digests_of_pieces(part: Compared, engine: Engine, *, normalise: bool) -> np.ndarray:
    """Take a digest of each row's roles, contents (or their normal forms), other keys and tools: uint8 [rows, 16].

    It is the digest of the pieces' own digests, which have one length, so that two rows are equal only if all their
    pieces are; no text is put together for it.
    """
    messages = part.messages
    roles, contents = messages.flatten().field("role"), engine.digest(contents_of(messages), normalised=not normalise)
    pieces = [_digests(roles, engine), contents, _digests(extras_of(messages), engine)]
    offsets = messages.offsets.to_numpy().astype(np.int64)
    offsets -= offsets[0]
    # In a row's order: three digests a message, then the tools'.
    rows = np.arange(len(messages))
    ends = 3 * offsets + np.arange(len(messages) + 1)
    digests = np.empty((ends[-1], 16), np.uint8)
    digests[ends[1:] - 1] = _digests(part.tools, engine)
    first = 3 * np.arange(offsets[-1]) + np.repeat(rows, np.diff(offsets))
    for number, piece in enumerate(pieces):
        digests[first + number] = piece
    return engine.combine(digests, ends)


def _digests(column: pa.Array, engine: Engine) -> np.ndarray:
    return engine.digest(pc.fill_null(column, "").cast(pa.large_string()), normalised=True)


def sketch_column(sketches: np.ndarray) -> pa.LargeBinaryArray:
    """The column `sketch` of `schema.KEYS`, of uint32 [rows, values]."""
    values = np.ascontiguousarray(sketches, "<u4")
    bounds = np.arange(len(values) + 1, dtype=np.int64) * values.itemsize * values.shape[1]
    return pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), len(values), [None, pa.py_buffer(bounds), pa.py_buffer(values)]
    )
