"""Rows of an Arrow batch written as JSON objects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson
import pyarrow as pa

from pipeline.ingest.containers.arrow_json import values_of
from pipeline.ingest.lines import Line, too_long
from pipeline.ingest.rejected import Rejected

__all__ = ["Constants", "lines_of_batch", "objects_of_batch"]

Constants = Mapping[str, orjson.Fragment]
"""Keys that every row has and no column holds, with their exact JSON."""


def lines_of_batch(batch: pa.RecordBatch, first: int, constants: Constants, limit: int) -> Iterator[Line]:
    """Every row of a batch as a line.

    Args:
        batch: n rows.
        first: number of the first.
        constants: that come before the columns.
        limit: bytes of a row at most.
    """
    for number, text in enumerate(objects_of_batch(batch, constants), first):
        length = len(text) if isinstance(text, bytes) else 0
        yield Line(number, text if length <= limit else too_long(length, limit), length)


def objects_of_batch(batch: pa.RecordBatch, constants: Constants) -> Iterator[bytes | Rejected]:
    """The JSON object of every row, without white space; or why there is none."""
    for row in _values(batch):
        yield row if isinstance(row, Rejected) else _as_json({**constants, **row})


def _values(batch: pa.RecordBatch) -> Iterator[dict[str, Any] | Rejected]:
    """The rows of a batch, as `orjson` takes them."""
    names = batch.schema.names
    nested = any(pa.types.is_nested(field.type) for field in batch.schema)
    columns = [values_of(column) for column in batch.columns]
    for row in zip(*columns, strict=True):
        refused = next((place for place, one in enumerate(row) if isinstance(one, Rejected)), None)
        if refused is not None:
            why = row[refused]
            yield Rejected(why.rule, f"column {names[refused]!r}: {why.reason}")
        else:
            value = dict(zip(names, row, strict=True))
            yield _without_nulls(value) if nested else value


def _as_json(row: dict[str, Any]) -> bytes | Rejected:
    try:
        return orjson.dumps(row)
    except (orjson.JSONEncodeError, TypeError):
        for name, value in row.items():
            try:
                orjson.dumps(value)
            except (orjson.JSONEncodeError, TypeError):
                return Rejected("wrong_type", f"column {name!r}: the value has no form in JSON")
        return Rejected("wrong_type", "a value has no form in JSON")


def _without_nulls(row: dict[str, Any]) -> dict[str, Any]:
    """A row without the null fields of its structs.

    Parquet gives every struct of a column the same fields, and null where a row has none; which of these were null when
    they were written it cannot say.
    """
    return {key: _inner(value) for key, value in row.items()}


def _inner(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _inner(item) for key, item in value.items() if item is not None}
    return [_inner(item) for item in value] if isinstance(value, list) else value
