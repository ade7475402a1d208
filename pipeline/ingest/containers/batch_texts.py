"""Rows of an Arrow batch whose texts are columns: no JSON is made of these, only of the other columns.

What comes out is what `lines_of_batch` and the reader of lines make of the same batch, to the byte. Rows that are none,
or that may not be, are left to these two.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import orjson
import pyarrow as pa

from pipeline.engines import Engine
from pipeline.engines.columns import from_arrow, to_arrow, without_nulls
from pipeline.engines.plain_lines import PlainLines
from pipeline.ingest.containers.batch_json import Constants, lines_of_batch, objects_of_batch
from pipeline.ingest.lines import Lines, in_one
from pipeline.text.json_escapes import encoded_length
from pipeline.text.json_rows import is_filled
from pipeline.text.kernel import compiled

__all__ = ["read_texts"]

_TEXTS = (
    *(pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view),
    *(pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view),
)


def read_texts(
    batch: pa.RecordBatch, first: int, keys: Sequence[str], constants: Constants, limit: int, engine: Engine | None
) -> Lines | None:
    """Read the rows of a batch.

    Args:
        batch: n rows.
        first: number of the first.
        keys: under which the texts of a row stand; one may be there twice.
        constants: that come before the columns.
        limit: bytes of a row at most, as JSON.
        engine: whose copies of the columns follow, if there is one.

    Returns:
        The rows, those without bytes that are read already; None where all must be read as lines.
    """
    columns = _columns(batch, list(dict.fromkeys(keys)))
    if columns is None:
        return None
    rest, known = _rest(batch, keys, constants)
    sizes = rest.bounds[1:] - rest.bounds[:-1]
    # As a line: the members of the rest, a comma unless there are none, and of each text its key and its quotes.
    lengths = np.where(sizes == 0, 1, sizes)
    for key, column in columns.items():
        lengths += len(orjson.dumps(key)) + len(':"",')
        known &= column.is_valid().to_numpy(zero_copy_only=False)
        measure_rows(*from_arrow(without_nulls(column)), lengths, known)
    known &= lengths <= limit
    chosen = np.flatnonzero(known)
    texts = _taken([without_nulls(columns[key]) for key in keys], chosen, engine)
    rests = to_arrow(rest.buffer, rest.bounds)
    read = PlainLines(known, texts, rests if len(chosen) == len(known) else rests.take(pa.array(chosen)))
    numbers = first + np.arange(len(known))
    nowhere = np.zeros(len(known), np.int64)
    size = int(lengths[known].sum())
    if len(chosen) == len(known):
        return Lines(b"", numbers, nowhere, nowhere, {}, size, read)
    others = np.flatnonzero(~known)
    try:
        left = batch.take(pa.array(others))
    except pa.ArrowNotImplementedError:  # of some types Arrow takes no rows
        return None
    lines = in_one(list(lines_of_batch(left, 0, constants, limit)))
    starts, ends = nowhere.copy(), nowhere.copy()
    starts[others], ends[others] = lines.starts, lines.ends
    refused = {int(others[place]): why for place, why in lines.refused.items()}
    return Lines(lines.buffer, numbers, starts, ends, refused, size + lines.size, read)


def _columns(batch: pa.RecordBatch, keys: Sequence[str]) -> dict[str, pa.LargeStringArray] | None:
    """The columns under some keys, nulls included; None unless each is one of texts, all of them UTF-8."""
    found = {}
    for key in keys:
        if batch.schema.names.count(key) != 1:
            return None
        column = batch.column(key)
        kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
        if not any(test(kind) for test in _TEXTS):
            return None
        try:
            texts = column if pa.types.is_large_string(column.type) else column.cast(pa.large_string())
            texts.validate(full=True)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            return None
        found[key] = texts
    return found


class _Rest:
    """The exact JSON of every row's other members, one behind the other, or nothing."""

    def __init__(self, objects: list[bytes]) -> None:
        self.buffer = np.frombuffer(b"".join(objects), np.uint8)
        self.bounds = np.cumsum([0, *map(len, objects)])


def _rest(batch: pa.RecordBatch, keys: Sequence[str], constants: Constants) -> tuple[_Rest, np.ndarray]:
    """What else the rows hold, and which of them surely are rows."""
    others = batch.select([place for place, name in enumerate(batch.schema.names) if name not in keys])
    constants = {key: value for key, value in constants.items() if key not in keys}
    if not others.num_columns:
        same = orjson.dumps(constants) if constants else b""
        return _Rest([same] * batch.num_rows), np.ones(batch.num_rows, np.bool_)
    # No deeper than a schema, of which Arrow reads 100 levels: none is nested too deeply for JSON.
    objects = [one if isinstance(one, bytes) else b"" for one in objects_of_batch(others, constants)]
    return _Rest(objects), np.array([len(one) > 0 for one in objects])


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
def measure_rows(buffer: np.ndarray, bounds: np.ndarray, lengths: np.ndarray, filled: np.ndarray) -> None:
    """Add to each row's length that of its text in JSON, and say no of a row whose text may be blank."""
    for row in range(len(lengths)):
        lengths[row] += encoded_length(buffer, bounds[row], bounds[row + 1])
        if filled[row]:
            filled[row] = is_filled(buffer, bounds[row], bounds[row + 1]) != 0
