"""Values of a row, with the reasons why they are none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.ingest.exact_json import json_type
from pipeline.ingest.rejected import Rejected, missing_key

__all__ = ["list_at", "object_of", "optional_text", "text_at", "written"]


def text_at(values: Mapping[str, Any], key: str, where: str = "", *, blank: bool = False) -> str:
    """The text under `key`.

    Args:
        values: decoded.
        key: its name in the file.
        where: begins the reason, as in `message 2: `.
        blank: whether it may be nothing but white space.

    Raises:
        Rejected: no such key, null, no string, or blank.
    """
    value = _at(values, key, where)
    if not isinstance(value, str):
        raise Rejected("wrong_type", f"{where}{key!r} is {json_type(value)}, not a string")
    if not blank and (not value or value.isspace()):
        raise Rejected("empty_text", f"{where}{key!r} is empty")
    return value


def optional_text(values: Mapping[str, Any], key: str | None, where: str = "") -> str | None:
    """The text under `key`; None where there is no such key, or it is null or blank.

    Raises:
        Rejected: it is no string.
    """
    if key is None or values.get(key) is None:
        return None
    text = text_at(values, key, where, blank=True)
    return text if text.strip() else None


def list_at(values: Mapping[str, Any], key: str, where: str = "") -> list[Any]:
    """The list under `key`, which is not empty.

    Raises:
        Rejected: no such key, null, no list, or empty.
    """
    value = _at(values, key, where)
    if not isinstance(value, list):
        raise Rejected("wrong_type", f"{where}{key!r} is {json_type(value)}, not a list")
    if not value:
        raise Rejected("empty_text", f"{where}{key!r} is empty")
    return value


def object_of(value: Any, where: str) -> dict[str, Any]:
    """A value that must be an object.

    Raises:
        Rejected: it is none.
    """
    if not isinstance(value, dict):
        raise Rejected("wrong_type", f"{where}{json_type(value)}, not an object")
    return value


def written(values: Mapping[str, Any], key: str, exact: str) -> str | None:
    """The text under `key`, of a number or a boolean its exact JSON; None where it is null or blank.

    Raises:
        Rejected: no such key, or a list or an object.
    """
    if key not in values:
        raise missing_key(key, values)
    value = values[key]
    if isinstance(value, bool | int | float):
        return exact
    return optional_text(values, key)


def _at(values: Mapping[str, Any], key: str, where: str) -> Any:
    if key not in values:
        raise missing_key(key, values, where=where)
    if values[key] is None:
        raise Rejected("null_value", f"{where}{key!r} is null")
    return values[key]
