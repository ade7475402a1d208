"""Personal data in JSON texts replaced."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.engines.columns import TextColumn, from_arrow
from pipeline.engines.json_keys import tell_apart
from pipeline.engines.operations import json_strings
from pipeline.engines.operations.json_strings import Scalars
from pipeline.engines.operations.nearby import Put
from pipeline.engines.operations.replace import replace
from pipeline.engines.operations.settle import Job, Round, settle
from pipeline.engines.phones import COUNTRIES
from pipeline.engines.redaction import Finder, Redaction
from pipeline.engines.spans import Spans, merge
from pipeline.engines.stand_ins import StandIns
from pipeline.text.json_strings import NUMBER, STRING

__all__ = ["redact_json"]


def redact_json(
    texts: pa.LargeStringArray,
    entities: Sequence[str],
    *,
    countries: Sequence[str] = COUNTRIES,
    also: Finder | None = None,
    stand_ins: StandIns | None = None,
    rows: np.ndarray | None = None,
) -> Redaction:
    """Put stand-ins in place of personal data in JSON texts, and count it.

    - Strings, keys among them, are decoded and redacted by themselves. A value is read behind its key, as in
      `phone": "4155550123"`, since that says what it is.
    - An integer that is personal data as a whole (a card's number) becomes a string.
    - A key that would then be like another of its object gets a number: `<EMAIL#2>`.
    - A string that is the JSON text of an object or a list (a tool call's arguments) is redacted as such.
    - A string that changes is written anew, with only the escapes that JSON demands; all else stays byte for byte.

    Args:
        texts: n JSON texts, known to be valid.
        entities: As of `redact`.
        countries: As of `redact`.
        also: As of `redact`.
        stand_ins: As of `redact`.
        rows: As of `redact`.

    Returns:
        n JSON texts, and the rest as of `redact`.

    Raises:
        ValueError: An entity or a country is unknown.
    """
    job = Job(entities, countries, also, stand_ins)

    def inner(some: pa.LargeStringArray, homes: np.ndarray) -> Redaction:
        return redact_json(some, entities, countries=countries, also=also, stand_ins=stand_ins, rows=homes)

    def once(some: pa.LargeStringArray, homes: np.ndarray, put: Put | None) -> Round:
        # Strings are decoded anew each round, so none says where in them something was put: `put` is None.
        column = from_arrow(some)
        scalars = json_strings.scalars_of(column)
        decode = partial(json_strings.decode, column, scalars)
        rows = scalars.rows

        nested = _json_in_json(column, scalars)
        done = inner(decode(nested), homes[rows[nested]]) if len(nested) else _nothing(job)
        spans, values, starts = _changes(column, scalars, job, homes[rows], nested)

        which, entities = np.nonzero(done.counts)
        changed = np.union1d(spans.rows, nested[which])
        if not len(changed):
            return Round(some, changed, changed)
        before = decode(changed)
        after = replace(before, _moved(spans, starts, changed, from_arrow(before).bounds), values)
        is_nested = np.isin(changed, nested)
        if is_nested.any():
            new = done.texts.filter(pa.array(np.isin(nested, changed)))
            after = pc.replace_with_mask(after, pa.array(is_nested), new)
        after = tell_apart(scalars.kinds, scalars.owners, changed, after, decode)
        times = done.counts[which, entities]
        return Round(
            json_strings.splice(column, scalars, changed, after),
            np.concatenate([rows[spans.rows], np.repeat(rows[nested[which]], times)]),
            np.concatenate([spans.entities, np.repeat(entities, times)]),
            rows[nested[~done.settled]],
        )

    return settle(texts, job, rows, once)


def _changes(
    column: TextColumn, scalars: Scalars, job: Job, rows: np.ndarray, nested: np.ndarray
) -> tuple[Spans, pa.LargeStringArray, np.ndarray]:
    """What is replaced in the scalars that are not nested texts.

    Returns:
        The spans, whose rows are scalars and whose places lie in a buffer of scalars in their context; what is put in
        their place; and where in that buffer each scalar begins: int64 (m).
    """
    context, starts, ends = json_strings.decode_in_context(column, scalars)
    found = job.find(context)
    # What the key is found to hold is left to the key.
    spans = found.only((found.starts >= starts[found.rows]) & (found.ends <= ends[found.rows]))
    if job.also:
        everything = np.arange(len(starts))
        alone = json_strings.decode(column, scalars, everything)
        spans = merge(context, spans, _moved(job.also(alone), from_arrow(alone).bounds, everything, starts))
    whole = (spans.starts == starts[spans.rows]) & (spans.ends == ends[spans.rows])
    spans = spans.only((whole | (scalars.kinds[spans.rows] != NUMBER)) & ~np.isin(spans.rows, nested))
    spans, values = job.changes(context, spans, rows)
    return spans, values, starts


def _moved(spans: Spans, starts: np.ndarray, rows: np.ndarray, places: np.ndarray) -> Spans:
    """The spans in another buffer: the row `rows[k]`, which began at `starts[rows[k]]`, begins there at `places[k]`."""
    here = np.searchsorted(rows, spans.rows)
    by = places[here] - starts[spans.rows]
    return Spans(here, spans.starts + by, spans.ends + by, spans.entities)


def _json_in_json(column: TextColumn, scalars: Scalars) -> np.ndarray:
    """The strings that are JSON texts of an object or a list: their places, int64."""
    if not len(scalars.starts):
        return np.empty(0, np.int64)
    first, last = column.buffer[scalars.starts], column.buffer[np.maximum(scalars.ends - 1, 0)]
    brackets = ((first == ord("{")) & (last == ord("}"))) | ((first == ord("[")) & (last == ord("]")))
    places = np.flatnonzero(brackets & (scalars.kinds == STRING))
    decoded = json_strings.decode(column, scalars, places).cast(pa.large_binary()).to_pylist()
    return places[[_is_json(text) for text in decoded]] if len(places) else places


def _is_json(text: bytes) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True


def _nothing(job: Job) -> Redaction:
    return Redaction(pa.array([], pa.large_string()), np.zeros((0, len(job.names)), np.int64), np.ones(0, np.bool_))
