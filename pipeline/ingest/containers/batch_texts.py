"""Rows of an Arrow batch whose texts are columns: no JSON is made of these, only of the other columns.

What comes out is what `lines_of_batch` and the reader of lines make of the same batch, to the byte. Rows that are none,
or that may not be, are left to these two.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import orjson
import pyarrow as pa

from pipeline.engines import Engine
from pipeline.engines.columns import from_arrow, to_arrow, without_nulls
from pipeline.engines.plain_lines import PlainLines
from pipeline.ingest.containers.batch_json import Constants, lines_of_batch, objects_of_batch
from pipeline.ingest.lines import Line, Lines, in_one
from pipeline.ingest.plain import is_utf8
from pipeline.text.json_escapes import encoded_length
from pipeline.text.json_rows import is_filled
from pipeline.text.kernel import compiled

__all__ = ["are_texts", "read_texts"]

_TEXTS = (
    *(pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view),
    *(pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view),
)


def are_texts(schema: pa.Schema, keys: Sequence[str]) -> bool:
    """Whether the texts under some keys are columns of texts, each there once."""
    kinds = [schema.field(key).type for key in keys if schema.names.count(key) == 1]
    kinds = [kind.value_type if pa.types.is_dictionary(kind) else kind for kind in kinds]
    return len(kinds) == len(keys) and all(any(test(kind) for test in _TEXTS) for kind in kinds)


def read_texts(
    batch: pa.RecordBatch, first: int, keys: Sequence[str], constants: Constants, limit: int, engine: Engine | None
) -> Lines:
    """Read the rows of a batch whose texts are in columns of texts.

    Args:
        batch: n rows.
        first: number of the first.
        keys: under which the texts of a row stand; one may be there twice.
        constants: that come before the columns.
        limit: bytes of a row at most, as JSON.
        engine: whose copies of the columns follow, if there is one.
    """
    rest, bounds, known = _rest(batch, keys, constants)
    # As a line: the members of the rest, a comma unless there are none, and of each text its key and its quotes.
    sizes = np.maximum(1, bounds[1:] - bounds[:-1])
    columns = {}
    for key in dict.fromkeys(keys):
        columns[key], valid = _texts(batch.column(key))
        sizes += len(orjson.dumps(key)) + len(':"",')
        known &= valid
        measure_texts(*from_arrow(columns[key]), sizes, known)
    known &= sizes <= limit
    texts = _taken([columns[key] for key in keys], np.flatnonzero(known), engine)
    rests = to_arrow(rest, bounds)
    read = PlainLines(known, texts, rests if known.all() else rests.filter(pa.array(known)))
    starts, ends = np.zeros((2, len(known)), np.int64)
    if known.all():
        return Lines(b"", first + np.arange(len(known)), starts, ends, {}, sizes, read)
    others = np.flatnonzero(~known)
    lines = in_one(list(_lines(batch, others, constants, limit)))
    starts[others], ends[others], sizes[others] = lines.starts, lines.ends, lines.sizes
    refused = {int(others[place]): why for place, why in lines.refused.items()}
    return Lines(lines.buffer, first + np.arange(len(known)), starts, ends, refused, sizes, read)


def _lines(batch: pa.RecordBatch, rows: np.ndarray, constants: Constants, limit: int) -> Iterator[Line]:
    """Some rows as lines, whose numbers say nothing."""
    try:
        left = [batch.take(pa.array(rows))]
    except pa.ArrowNotImplementedError:  # of views
        left = [batch.slice(row, 1) for row in rows.tolist()]
    for some in left:
        yield from lines_of_batch(some, 0, constants, limit)


def _texts(column: pa.Array) -> tuple[pa.LargeStringArray, np.ndarray]:
    """A column's texts, over the same bytes where they stand one behind another; which rows have one that is UTF-8."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary.cast(pa.large_binary()).take(column.indices)
    raw = column.cast(pa.large_binary())
    texts = raw.view(pa.large_string())
    valid = raw.is_valid().to_numpy(zero_copy_only=False)
    try:
        texts.validate(full=True)
    except pa.ArrowInvalid:
        valid = np.array([one is not None and is_utf8(one) for one in raw.to_pylist()])
    return without_nulls(texts), valid


def _rest(
    batch: pa.RecordBatch, keys: Sequence[str], constants: Constants
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The exact JSON of each row's other members, one behind the other, and its bounds; which rows have one."""
    others = batch.select([place for place, name in enumerate(batch.schema.names) if name not in keys])
    constants = {key: value for key, value in constants.items() if key not in keys}
    known = np.ones(batch.num_rows, np.bool_)
    if others.num_columns:
        # No deeper than a schema, of which Arrow reads 100 levels: none is nested too deeply for JSON.
        made = [one if isinstance(one, bytes) else b"" for one in objects_of_batch(others, constants)]
        known = np.array([len(one) > 0 for one in made])
    else:
        made = [orjson.dumps(constants) if constants else b""] * batch.num_rows
    return np.frombuffer(b"".join(made), np.uint8), np.cumsum([0, *map(len, made)]), known


def _taken(columns: Sequence[pa.LargeStringArray], rows: np.ndarray, engine: Engine | None) -> pa.LargeStringArray:
    """The texts of some rows, row by row, each one's in the order of the columns."""
    total = len(columns[0])
    if len(columns) == 1 and len(rows) == total:
        return columns[0]
    places = (rows[:, None] + total * np.arange(len(columns))).reshape(-1)
    texts = (columns[0] if len(columns) == 1 else pa.concat_arrays(columns)).take(pa.array(places))
    if engine is not None:
        engine.follow(texts, columns, lambda: places)
    return texts


@compiled
def measure_texts(buffer: np.ndarray, bounds: np.ndarray, sizes: np.ndarray, filled: np.ndarray) -> None:
    """Add the bytes that each row's text has in JSON to those of the row, and see which texts may be blank.

    Only rows that are `filled` so far are looked at: the others' texts may be anything.
    """
    for row in range(len(sizes)):
        if filled[row]:
            sizes[row] += encoded_length(buffer, bounds[row], bounds[row + 1])
            filled[row] = is_filled(buffer, bounds[row], bounds[row + 1]) != 0
