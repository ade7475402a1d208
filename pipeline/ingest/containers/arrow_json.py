"""Every Arrow type in a form that JSON has.

| type | form |
|---|---|
| null, booleans, integers, floats, strings, lists, structs | their own; NaN and infinities are null |
| decimal | a string of its digits |
| timestamp, date, time | a string, ISO 8601, as precise as the value; beyond the years 1 to 9999 with a sign |
| duration | a string, ISO 8601: `PT1.5S` |
| map | an object; keys that are no strings as their JSON, and of equal keys the last stands |
| bytes | a string where they are UTF-8, else `{"base64": "…"}` |

Strings of Parquet need not be UTF-8: a row where one is not is rejected, the others are not.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.ingest.rejected import Rejected

__all__ = ["values_of"]

_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_CYCLE = 146_097 * 86_400
"""Seconds after which the Gregorian calendar repeats: 400 years."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_STRINGS = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
_BYTES = (
    *(pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view),
    pa.types.is_fixed_size_binary,
)
_LISTS = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
_PLAIN = (pa.types.is_null, pa.types.is_boolean, pa.types.is_integer, pa.types.is_floating)


def values_of(array: pa.Array) -> list[Any]:
    """The values of a column, each as `orjson.dumps` takes it, or why it has no form: an instance of `Rejected`."""
    kind = array.type
    if _any(_STRINGS, kind):
        return _strings(array)
    if _any(_PLAIN, kind):
        return array.to_pylist()  # type: ignore[no-any-return]
    if _any(_BYTES, kind):
        return [None if one is None else _of_bytes(one) for one in array.to_pylist()]
    if pa.types.is_dictionary(kind):
        known = values_of(array.dictionary)
        return [None if index is None else known[index] for index in array.indices.to_pylist()]
    if pa.types.is_struct(kind):
        return _structs(array)
    if pa.types.is_map(kind):
        entries = array.cast(pa.list_(pa.struct([kind.key_field, kind.item_field])))  # how a map is stored
        return _lists(entries, _maps(entries.flatten()), _object)
    if _any(_LISTS, kind):
        return _lists(array, values_of(array.flatten()), list)
    if pa.types.is_decimal(kind):
        return [None if one is None else str(one) for one in array.to_pylist()]
    if (moments := _moments(kind)) is not None:
        whole = array.view(pa.int32() if kind.bit_width == 32 else pa.int64()).to_pylist()
        return [None if one is None else moments(one) for one in whole]
    if isinstance(kind, pa.BaseExtensionType):
        return values_of(array.storage)
    return [None if one is None else _formless(kind) for one in array.is_valid().to_pylist()]


def _any(tests: Sequence[Callable[[pa.DataType], bool]], kind: pa.DataType) -> bool:
    return any(test(kind) for test in tests)


def _strings(array: pa.Array) -> list[Any]:
    try:
        return array.to_pylist()  # type: ignore[no-any-return]
    except UnicodeDecodeError:
        raw = array.cast(pa.large_binary()).to_pylist()
        return [None if one is None else _decoded(one) for one in raw]


def _decoded(value: bytes) -> str | Rejected:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return Rejected("invalid_utf8", "a string is not UTF-8")


def _of_bytes(value: bytes) -> Any:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode()}


def _structs(array: pa.StructArray) -> list[Any]:
    names = [field.name for field in array.type]
    columns = [values_of(field) for field in array.flatten()]
    rows: list[Any] = [_whole(dict(zip(names, row, strict=True))) for row in zip(*columns, strict=True)]
    if not names:
        rows = [{} for _ in range(len(array))]
    return [row if valid else None for row, valid in zip(rows, array.is_valid().to_pylist(), strict=True)]


def _lists(array: pa.Array, items: list[Any], make: Callable[[list[Any]], Any]) -> list[Any]:
    """The lists of an array whose items, one after the other, are given; nulls have none."""
    if pa.types.is_fixed_size_list(array.type):
        lengths = [array.type.list_size if valid else None for valid in array.is_valid().to_pylist()]
    else:
        lengths = pc.list_value_length(array).to_pylist()
    found, at = list[Any](), 0
    for length in lengths:
        if length is None:
            found.append(None)
            continue
        own = items[at : at + length]
        at += length
        refused = next((one for one in own if isinstance(one, Rejected)), None)
        found.append(make(own) if refused is None else refused)
    return found


def _maps(entries: pa.StructArray) -> list[Any]:
    """Keys and items in pairs, or what one of the two is rejected for."""
    keys, items = (values_of(field) for field in entries.flatten())
    return [next((one for one in pair if isinstance(one, Rejected)), pair) for pair in zip(keys, items, strict=True)]


def _object(pairs: list[tuple[Any, Any]]) -> dict[str, Any]:
    return {key if isinstance(key, str) else orjson.dumps(key).decode(): item for key, item in pairs}


def _whole(row: dict[str, Any]) -> Any:
    return next((one for one in row.values() if isinstance(one, Rejected)), row)


def _formless(kind: pa.DataType) -> Rejected:
    return Rejected("wrong_type", f"the type {kind} has no form in JSON")


def _moments(kind: pa.DataType) -> Callable[[int], str] | None:
    """What writes a point or a span of time that is stored as a whole number; None for other types."""
    if pa.types.is_timestamp(kind):
        zone = _zone(kind.tz)
        return lambda value: _timestamp(value, _SECOND[kind.unit], zone)
    if pa.types.is_date32(kind):
        return lambda value: _timestamp(value * 86_400, 1, None).partition("T")[0]
    if pa.types.is_date64(kind):
        return lambda value: _timestamp(value, 1000, None).partition("T")[0]
    if pa.types.is_time(kind):
        return lambda value: _timestamp(value, _SECOND[kind.unit], None).partition("T")[2]
    if pa.types.is_duration(kind):
        return lambda value: _duration(value, _SECOND[kind.unit])
    return None


def _zone(name: str | None) -> tzinfo | None:
    if name is None:
        return None
    try:
        zone: tzinfo = pa.lib.string_to_tzinfo(name)
    except (pa.ArrowException, ValueError, KeyError, OSError):  # a name that this machine does not know
        return UTC
    return zone


def _timestamp(value: int, second: int, zone: tzinfo | None) -> str:
    seconds, rest = divmod(value, second)
    cycles = 0
    try:
        moment = _EPOCH + timedelta(seconds=seconds)
        moment = moment.astimezone(zone) if zone is not None else moment
    except OverflowError:
        cycles, within = divmod(seconds, _CYCLE)
        moment = _EPOCH + timedelta(seconds=within)
    text = moment.isoformat()
    date, clock, offset = text[:10], text[10:19], text[19:] if zone is not None else ""
    if cycles:
        date = f"{moment.year + 400 * cycles:+05d}{date[4:]}"
    return date + clock + _fraction(rest, second) + offset


def _fraction(rest: int, second: int) -> str:
    """Six digits, as Python writes them, or nine where it takes that many; none of a whole second."""
    nanoseconds = rest * (10**9 // second)
    if not nanoseconds:
        return ""
    return f".{nanoseconds // 1000:06d}" if nanoseconds % 1000 == 0 else f".{nanoseconds:09d}"


def _duration(value: int, second: int) -> str:
    seconds, rest = divmod(abs(value), second)
    fraction = _fraction(rest, second).rstrip("0")
    return f"{'-' if value < 0 else ''}PT{seconds}{fraction}S"
