"""Tools that an assistant may call, and its calls: checked, and kept as they were written."""

from __future__ import annotations

import json
from typing import Any

import orjson

from pipeline.ingest.exact_json import Record, elements, json_type, members, parse
from pipeline.ingest.rejected import Rejected, missing_key

__all__ = ["calls_from_text", "check_calls", "tools_of"]


def tools_of(record: Record, key: str, *, wrap: bool = False) -> str | None:
    """The exact JSON of a row's tools; None where there are none.

    A string holds the list as JSON, which is how Parquet files keep tools of different schemas side by side.

    Args:
        record: the row.
        key: where its tools stand.
        wrap: put `{"type":"function","function":…}` around functions that stand bare, whose bytes stay.

    Raises:
        Rejected: no list of objects.
    """
    tools = record.values.get(key)
    if isinstance(tools, str):
        if not tools.strip():
            return None
        record = _parsed(key, tools, repr(key))
        tools = record.values[key]
    if tools is None or tools == []:
        return None
    if not isinstance(tools, list):
        raise Rejected("wrong_type", f"{key!r} is {json_type(tools)}, not a list")
    for number, tool in enumerate(tools):
        if not isinstance(tool, dict):
            raise Rejected("wrong_type", f"tool {number + 1} is {json_type(tool)}, not an object")
    exact = record.exact(key)
    if not wrap or all("function" in tool for tool in tools):
        return exact
    return f"[{','.join(map(_wrapped, tools, elements(exact)))}]"


def check_calls(calls: Any, where: str) -> None:
    """Hold an assistant's `tool_calls` to what every chat template needs.

    Raises:
        Rejected: no list of objects with a function's name and its arguments, an object or a string of JSON.
    """
    if not isinstance(calls, list):
        raise Rejected("wrong_type", f"{where}'tool_calls' is {json_type(calls)}, not a list")
    for number, call in enumerate(calls):
        here = f"{where}call {number + 1}: "
        if not isinstance(call, dict) or not isinstance(call.get("function"), dict):
            raise Rejected("wrong_tool_call", f"{here}no 'function'")
        function = call["function"]
        if not isinstance(function.get("name"), str) or not function["name"]:
            raise Rejected("wrong_tool_call", f"{here}the function has no 'name'")
        arguments = function.get("arguments")
        if isinstance(arguments, str):
            arguments = _loaded(arguments or "{}", here)
        if not isinstance(arguments, dict):
            raise Rejected("wrong_tool_call", f"{here}'arguments' is {json_type(arguments)}, not an object")


def calls_from_text(text: str, where: str) -> list[str]:
    """The exact JSON of each OpenAI `function` in a turn of JSON, `{"name": "…", "arguments": {…}}` or a list of such.

    The arguments' bytes become the string that OpenAI's form has there.

    Raises:
        Rejected: the turn says something else.
    """
    record = _parsed("calls", text, f"{where}the call")
    calls, exact = record.values["calls"], [record.exact("calls")]
    if isinstance(calls, list):
        exact = elements(exact[0])
        if not calls:
            raise Rejected("wrong_tool_call", f"{where}no call")
    else:
        calls = [calls]
    functions = []
    for number, (call, written) in enumerate(zip(calls, exact, strict=True)):
        here = f"{where}call {number + 1}: "
        if not isinstance(call, dict) or not isinstance(call.get("name"), str):
            raise Rejected("wrong_tool_call", f"{here}no 'name'")
        if "arguments" not in call:
            raise missing_key("arguments", call, where=here)
        check_calls([{"function": call}], where)
        cut = members(written)
        arguments = cut["arguments"][1]
        if not isinstance(call["arguments"], str):
            arguments = json.dumps(arguments, ensure_ascii=False)
        functions.append(f'{{"name":{cut["name"][1]},"arguments":{arguments}}}')
    return functions


def _parsed(key: str, text: str, what: str) -> Record:
    """A record that holds one value, given as text."""
    try:
        return parse(f"{json.dumps(key)}:{text}".join("{}").encode())
    except Rejected:
        raise Rejected("malformed_json", f"{what} is a string that is no JSON") from None


def _loaded(text: str, where: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        raise Rejected("wrong_tool_call", f"{where}'arguments' is a string that is no JSON") from None


def _wrapped(tool: dict[str, Any], exact: str) -> str:
    return exact if "function" in tool else f'{{"type":"function","function":{exact}}}'
