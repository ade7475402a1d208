"""Calls of tools, compared as JSON: names and arguments, in any order, however a template writes them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

__all__ = ["calls_in", "calls_of", "tool_call", "written"]

_LONGEST = 1 << 18
"""Characters of an answer in which calls are looked for."""

_DECODER = json.JSONDecoder()
_OPENING = re.compile(r"[{\[]")


def tool_call(prediction: str, reference: str) -> float:
    """Whether an answer makes exactly the reference's calls.

    A call is an object with `name` and `arguments` (or `parameters`), also inside `function`; arguments that are
    a string are decoded. Equality is JSON's, where 1 is 1.0.

    Args:
        prediction: the generated text.
        reference: the row's calls, as `written` writes them.
    """
    wanted, found = calls_in(reference), calls_in(prediction)
    return float(len(wanted) == len(found) and sorted(map(_key, wanted)) == sorted(map(_key, found)))


def calls_of(extra: str | None) -> list[dict[str, Any]]:
    """The calls in the other keys of a message (`tool_calls`, or the older `function_call`), as name and arguments."""
    try:
        keys = json.loads(extra) if extra else {}
    except ValueError:
        return []
    if not isinstance(keys, dict):
        return []
    given = keys.get("tool_calls") or ([keys["function_call"]] if keys.get("function_call") else [])
    return [call for one in given if (call := _call(one)) is not None] if isinstance(given, list) else []


def written(calls: list[dict[str, Any]]) -> str:
    """Calls as text, in the form that Hermes and Qwen have: the reference of a row that makes calls."""
    lines = (json.dumps(call, ensure_ascii=False, sort_keys=True) for call in calls)
    return "\n".join(f"<tool_call>\n{line}\n</tool_call>" for line in lines)


def calls_in(text: str) -> list[dict[str, Any]]:
    """The calls in a generated text: every outermost JSON value that is one, or a list of them."""
    found = []
    for value in _values(text[:_LONGEST]):
        for one in value if isinstance(value, list) else [value]:
            if (call := _call(one)) is not None:
                found.append(call)
    return found


def _values(text: str) -> Iterator[Any]:
    at, tries = 0, 0
    while (match := _OPENING.search(text, at)) and tries < 1000:  # what is no JSON is tried so often at most
        try:
            value, at = _DECODER.raw_decode(text, match.start())
            yield value
        except (ValueError, RecursionError):
            at, tries = match.end(), tries + 1


def _call(value: Any) -> dict[str, Any] | None:
    if not isinstance(value, dict):
        return None
    if isinstance(value.get("function"), dict):
        value = value["function"]
    name = value.get("name")
    arguments = value.get("arguments", value.get("parameters"))
    if not isinstance(name, str) or arguments is None:
        return None
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments)
        except ValueError:
            return None
    return {"name": name, "arguments": arguments}


def _key(call: dict[str, Any]) -> str:
    return json.dumps(_plain(call), sort_keys=True)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
