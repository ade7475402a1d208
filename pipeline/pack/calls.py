"""Calls of tools and the other keys of a message that templates write: what rows have in common, and what differs.

Strings differ, and objects such as a call's arguments, which are written as JSON. In common is the rest: which keys
there are, how many calls, which values are empty, and numbers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

__all__ = ["FILLED", "filled_in", "form_of", "fullness", "to_json"]

FILLED = frozenset({"tool_calls", "tool_call_id", "name", "reasoning_content"})
"""Keys of messages whose values are filled in."""
to_json = json.JSONEncoder(ensure_ascii=False).encode
"""As the templates' filter `tojson` writes a value without options."""


def filled_in(message: Mapping[str, Any], wanted: frozenset[str], leaf: Callable[[Any], Any]) -> dict[str, Any]:
    """The wanted keys of a message, with `leaf` of each value in them.

    Args:
        message: with any keys.
        wanted: of `FILLED`.
        leaf: called in order with what is neither a list of calls nor a call nor a call's function.
    """
    return {
        key: [_call(call, leaf) for call in value] if key == "tool_calls" and type(value) is list else leaf(value)
        for key, value in message.items()
        if key in wanted
    }


def form_of(messages: Iterable[Mapping[str, Any]], wanted: frozenset[str]) -> tuple[str, list[str]]:
    """What rows filled in alike have in common, and the strings that differ: as they are, or JSON of objects.

    Args:
        messages: of a row.
        wanted: of `FILLED`.
    """
    strings: list[str] = []

    def leaf(value: Any) -> Any:
        if type(value) is str:
            strings.append(value)
            return fullness(value)
        if isinstance(value, dict | list):
            strings.append(to_json(value))
            return f"{type(value).__name__} {bool(value)}"
        return repr(value)

    form = [filled_in(message, wanted, leaf) for message in messages]
    return (to_json(form) if any(form) else ""), strings


def fullness(text: str) -> int:
    """0: empty, 1: blank, 2: neither."""
    return bool(text) + bool(text and not text.isspace())


def _call(call: Any, leaf: Callable[[Any], Any]) -> Any:
    if type(call) is not dict:
        return leaf(call)
    return {
        key: {name: leaf(one) for name, one in value.items()}
        if key == "function" and type(value) is dict
        else leaf(value)
        for key, value in call.items()
    }
