"""JSON rows whose parts can be kept exactly as they were written.

`orjson` validates and decodes a line, fast; but a number such as `1.0e5` or an integer above 64 bits would not
come back as it was. So what is stored as JSON is cut out of the line instead of being written anew. The exact
form of an object is `{"key":value,…}`: keys and values are the bytes of the line, white space between members
is dropped, and of duplicate keys the last value stands, at every depth: a value that no reader can see must not
travel on, since nothing would redact it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Set
from typing import Any

import orjson

from pipeline.ingest.rejected import Rejected

__all__ = ["MAX_DEPTH", "Members", "Record", "elements", "join_members", "json_type", "members", "parse"]

MAX_DEPTH = 200
"""Levels of objects and arrays in a row; whoever walks what is stored may recurse."""

Members = dict[str, tuple[str, str]]
"""Key → its text and its value's text, both exact."""

_FIRST = re.compile(r"[ \t\n\r]*[\[{][ \t\n\r]*")
_NEXT = re.compile(r"[ \t\n\r]*,?[ \t\n\r]*")
_MEMBER = re.compile(
    r'("(?:[^"\\]++|\\.)*+")[ \t\n\r]*:[ \t\n\r]*'  # a key, and its value if that is short and plain: else the
    r'(?:("[^"\\]{0,80}+"|[^\[{" \t\n\r,}]++)[ \t\n\r]*,?[ \t\n\r]*)?'  # parser, slower to begin but faster a byte
)


class Record:
    """One row: its decoded values, and the exact text of any of them."""

    __slots__ = ("_line", "_members", "values")

    def __init__(self, line: bytes, values: dict[str, Any]) -> None:
        self.values = values
        self._line = line
        self._members: Members | None = None

    def exact(self, key: str) -> str:
        """The exact JSON of one value."""
        return self._cut()[key][1]

    def rest(self, used: Set[str]) -> str | None:
        """The exact JSON of an object with every key that is not in `used`, or None where there is none."""
        if self.values.keys() <= used:
            return None
        return join_members(self._cut(), without=used)

    def _cut(self) -> Members:
        if self._members is None:
            self._members = _cut_members(self._line.decode(), _scan_checking)
        return self._members


def parse(line: bytes) -> Record:
    """Decode one line that holds one JSON object.

    Raises:
        Rejected: not JSON (RFC 8259: no NaN, no trailing commas), not UTF-8 (lone surrogates too), not an object,
            nested deeper than `MAX_DEPTH`, or a number beyond the range of a double.
    """
    try:
        values = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise _diagnose(line, error) from None
    if line.count(b"{") + line.count(b"[") > MAX_DEPTH and _depth(values) > MAX_DEPTH:
        raise Rejected("malformed_json", f"nested deeper than {MAX_DEPTH} levels")
    if not isinstance(values, dict):
        raise Rejected("wrong_type", f"the row is {json_type(values)}, not an object")
    return Record(line, values)


def members(text: str) -> Members:
    """Cut an exact JSON object into the texts of its members."""
    return _cut_members(text, _scan)


def elements(text: str) -> list[str]:
    """Cut an exact JSON array of objects or arrays into their texts."""
    found: list[str] = []
    at = _end(_FIRST, text, 0)
    while text[at] != "]":
        stop = _scan(text, at)[1]
        found.append(text[at:stop])
        at = _end(_NEXT, text, stop)
    return found


def join_members(cut: Members, *, without: Set[str]) -> str:
    """The exact JSON of an object with these members, except some."""
    return "{" + ",".join([f"{text}:{value}" for key, (text, value) in cut.items() if key not in without]) + "}"


def json_type(value: Any) -> str:
    """What JSON calls a decoded value, with its article."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    names = ((str, "a string"), (int | float, "a number"), (list, "a list"), (dict, "an object"))
    return next(name for kind, name in names if isinstance(value, kind))


def _depth(value: Any) -> int:
    levels = 0
    level = [value]
    while level := [item for item in level if isinstance(item, list | dict)]:
        levels += 1
        level = [inner for item in level for inner in (item.values() if isinstance(item, dict) else item)]
    return levels


class _Duplicate(Exception):
    """An object holds a key twice."""


class _Number:
    """A number as it was written."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> None:
    if len(dict(pairs)) != len(pairs):
        raise _Duplicate


# Python's own parser says where a value ends.
_Scanner = Callable[[str, int], tuple[Any, int]]
_scan: _Scanner = json.JSONDecoder().scan_once  # type: ignore[attr-defined]
_scan_checking: _Scanner = json.JSONDecoder(object_pairs_hook=_refuse_duplicates).scan_once  # type: ignore[attr-defined]
_scan_numbers: _Scanner = json.JSONDecoder(parse_int=_Number, parse_float=_Number).scan_once  # type: ignore[attr-defined]


def _cut_members(text: str, scan: _Scanner) -> Members:
    """Cut a valid JSON object into its members; of duplicate keys the last stands."""
    found: Members = {}
    at = _end(_FIRST, text, 0)
    while text[at] != "}":
        member = _MEMBER.match(text, at)
        assert member is not None, "the text was validated"
        name, value = member.groups()
        at = member.end()
        if value is None:
            value, at = _value(text, at, scan)
            at = _end(_NEXT, text, at)
        found[json.loads(name) if "\\" in name else name[1:-1]] = (name, value)
    return found


def _value(text: str, at: int, scan: _Scanner) -> tuple[str, int]:
    """The exact text of the value that begins at `at`, and where it ends."""
    try:
        end = scan(text, at)[1]
    except _Duplicate:
        value, end = _scan_numbers(text, at)
        return _rewrite(value), end
    except RecursionError:  # in a value that a duplicate key hides from `parse`
        raise Rejected("malformed_json", f"nested deeper than {MAX_DEPTH} levels") from None
    return text[at:end], end


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    """Where a match at `at` ends, of a pattern that always matches valid JSON."""
    match = pattern.match(text, at)
    assert match is not None, "the text was validated"
    return match.end()


def _rewrite(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{_rewrite(key)}:{_rewrite(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_rewrite, value)) + "]"
    return value.text if isinstance(value, _Number) else json.dumps(value, ensure_ascii=False)


def _diagnose(line: bytes, error: orjson.JSONDecodeError) -> Rejected:
    """Why `orjson` refused a line. Its message and columns hold nothing of the line itself."""
    try:
        text = line.decode()
    except UnicodeDecodeError as invalid:
        return Rejected("invalid_utf8", f"byte {invalid.start + 1} is not UTF-8")
    if "surrogate" in error.msg:
        return Rejected("invalid_utf8", f"a lone surrogate near column {error.colno}")
    if text.startswith(("NaN", "Infinity", "-Infinity"), error.pos):
        return Rejected("malformed_json", f"NaN or Infinity at column {error.colno} is not JSON")
    return Rejected("malformed_json", f"{error.msg} at column {error.colno}")
