"""What deduplication reads instead of text: a digest, a sketch and what ranks a row among its copies."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.config import Recipe
from pipeline.curate.messages import contents_of, extras_of, one_array, whole_texts
from pipeline.engines import Engine
from pipeline.schema import KEYS

__all__ = ["keys_of"]

_AT_ONCE = 8 << 20
"""Bytes of contents whose normal form is held at once: what a part takes beside itself does not grow with it."""


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
    messages = one_array(table["messages"])
    # Case and indentation are meaning everywhere but in running text.
    running = one_array(pc.equal(table["kind"], "text")).to_numpy(zero_copy_only=False)
    digests = np.empty((len(table), 16), np.uint8)
    sketches = None if fuzzy is None else np.empty((len(table), fuzzy.sketch), np.uint32)
    for rows in _slices(messages):
        tools = one_array(table["tools"][rows])
        if sketches is not None or running[rows].any():
            normal = engine.normalise(whole_texts(messages[rows], tools, engine))
            digests[rows] = engine.digest(normal, normalised=True)
            if fuzzy is not None and sketches is not None:
                sketches[rows] = engine.sketch(normal, values=fuzzy.sketch, shingle=fuzzy.shingle)
        if not running[rows].all():
            exact = _exact_digests(messages[rows], tools, engine)
            digests[rows] = np.where(running[rows, None], digests[rows], exact)
    names = [source.name for source in recipe.sources]
    priorities = pa.array([source.priority for source in recipe.sources], pa.int32())
    return pa.table(
        {
            "id": table["id"],
            "priority": priorities.take(pc.index_in(one_array(table["source"]), pa.array(names))),
            "length": table["char_count"],
            "digest": pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), len(table), [None, pa.py_buffer(digests)]),
            "sketch": pa.nulls(len(table), KEYS.field("sketch").type) if sketches is None else _lists(sketches),
        },
        schema=KEYS,
    )


def _slices(messages: pa.ListArray) -> Iterator[slice]:
    """Consecutive rows of about `_AT_ONCE` bytes of contents, or a single row of more."""
    offsets = messages.offsets.to_numpy()
    lengths = pc.binary_length(contents_of(messages)).to_numpy(zero_copy_only=False)
    ends = np.concatenate([[0], np.cumsum(lengths)])[offsets - offsets[0]]
    first = 0
    while first < len(messages):
        last = max(int(np.searchsorted(ends, ends[first] + _AT_ONCE, "right")) - 1, first + 1)
        yield slice(first, last)
        first = last


def _exact_digests(messages: pa.ListArray, tools: pa.LargeStringArray, engine: Engine) -> np.ndarray:
    """Take a digest of each row's roles, contents, other keys and tools: uint8 [rows, 16].

    It is the digest of the pieces' own digests, which have one length, so that two rows are equal only if all their
    pieces are; no text is put together for it.
    """
    roles = messages.flatten().field("role")
    pieces = [_digests(column, engine) for column in (roles, contents_of(messages), extras_of(messages))]
    offsets = messages.offsets.to_numpy().astype(np.int64)
    offsets -= offsets[0]
    # In a row's order: three digests a message, then the tools'.
    rows = np.arange(len(messages))
    ends = 3 * offsets + np.arange(len(messages) + 1)
    digests = np.empty((ends[-1], 16), np.uint8)
    digests[ends[1:] - 1] = _digests(tools, engine)
    first = 3 * np.arange(offsets[-1]) + np.repeat(rows, np.diff(offsets))
    for number, piece in enumerate(pieces):
        digests[first + number] = piece
    return engine.combine(digests, ends)


def _digests(column: pa.Array, engine: Engine) -> np.ndarray:
    return engine.digest(pc.fill_null(column, "").cast(pa.large_string()), normalised=True)


def _lists(sketches: np.ndarray) -> pa.ListArray:
    offsets = np.arange(len(sketches) + 1, dtype=np.int32) * sketches.shape[1]
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(sketches.reshape(-1)))
