"""Rows of every shape, of strings that tokenizers and templates take otherwise than others."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

from pipeline.errors import InputError
from pipeline.pack.curated_rows import COLUMNS, CuratedRows
from pipeline.pack.examples import Renderer
from pipeline.pack.outlines import Outlines
from pipeline.pack.tokenise import _encode, pieces_of
from pipeline.schema import CURATED

SCHEMA = pa.schema([CURATED.field(name) for name in COLUMNS])
# What a tokenizer merges, or a template trims, over the border of a content; control tokens; what stands for others.
contents = st.one_of(
    st.sampled_from(
        ["", " ", "a", "    def f():\n", "    ", "\n\nx", "tail  \n", "<|im_end|>", "<", "naïve 東京 🙂", "'s"]
    ),
    st.sampled_from(["\U00100000", "\U0010fffd", "\U0010fffc", "</think>b", "\x1c", "</s>"]),
    st.text(max_size=8),
)
extras = st.one_of(
    st.none(),
    st.none(),
    st.sampled_from(
        [
            {"frames": ["x"]},
            {"name": "n"},
            {"reasoning_content": "r"},
            {"reasoning": "r"},
            {"thinking": "r"},
            {"rank": "é"},
        ]
    ).flatmap(lambda one: st.sampled_from([json.dumps(one), json.dumps(one).replace("reas", r"\u0072eas")])),
)
# Calls of tools: arguments as text and as objects, nested, empty, escaped, with control tokens in keys and values.
words = st.sampled_from(["", " ", "f", "gét_東京", 'a"b\\c\n', "<|im_end|>", "</s>", "\U00100000", "\U0010fffd"])
values = st.recursive(
    st.one_of(words, st.sampled_from([None, True, 1, 1.0, -0.0, 1e30, 10**20])),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(words, inner, max_size=2)),
    max_leaves=4,
)
arguments = st.one_of(
    st.sampled_from(['{"a": 1}', '{"é":  "\\u00e9<"}', "{}", "", " ", '{"<|im_end|>": 0}', {}, {"a": {}}, [], None]),
    st.dictionaries(words, values, max_size=2),
    values,
)
functions = st.fixed_dictionaries({"name": words}, optional={"arguments": arguments})
calls = st.one_of(
    functions,
    functions.map(lambda one: {"type": "function", "function": one}),
    st.tuples(words, functions).map(lambda one: {"id": one[0], "type": "function", "function": one[1], "index": 0}),
    functions.map(lambda one: {"function": None, **one}),
    st.fixed_dictionaries({"function": functions}, optional={"<|im_end|>": words, "\U00100000": words}),
)
calling = st.one_of(
    st.fixed_dictionaries({"tool_calls": st.lists(calls, max_size=3)}, optional={"reasoning_content": contents}),
    st.fixed_dictionaries({"tool_call_id": words}, optional={"name": words, "frames": st.just(["x"])}),
    st.fixed_dictionaries({}, optional={"reasoning_content": contents, "thinking": contents, "name": values}),
    st.sampled_from([{"tool_calls": None}, {"tool_calls": {}}, {"tool_calls": ["f"]}, {"reasoning_content": None}]),
)
message = st.one_of(
    st.tuples(contents, extras),
    st.tuples(contents, st.tuples(calling, st.booleans()).map(lambda one: json.dumps(one[0], ensure_ascii=one[1]))),
)
talks = st.lists(message, min_size=2, max_size=6)
TOOL = {"type": "function", "function": {"name": "f", "description": "é <b> 'x'", "parameters": {"n": 1.50, "a": {}}}}
tools = st.one_of(
    st.none(),
    st.none(),
    st.sampled_from([[], [TOOL], [TOOL, {**TOOL, "strict": None}], [{**TOOL, "note": "<|im_end|></s>"}], ["f"], TOOL]),
    st.lists(st.dictionaries(words, values, max_size=2), max_size=2),
)


def rows_of(drawn: list[tuple[bool, Any, list[tuple[str, str | None]]]]) -> CuratedRows:
    """Rows of (whether there are a system message and answers of tools, tools, contents)."""
    rows = []
    for number, (system, tools, said) in enumerate(drawn):
        talk = ["user", "assistant", "tool", "tool", "assistant"] if len(said) % 2 else ["user", "assistant"] * 3
        roles = (["system"] if system else []) + talk
        messages = [
            {"role": role, "content": content, "extra": extra}
            for role, (content, extra) in zip(roles, said, strict=False)
        ]
        given = json.dumps(tools, ensure_ascii=number % 2 == 0) if tools is not None else None
        rows.append({"id": f"s/f#{number}", "kind": "chat", "messages": messages, "tools": given, "metadata": None})
    # Out of a longer batch, as a reader may cut them.
    return CuratedRows(pa.RecordBatch.from_pylist([*rows[:1], *rows], schema=SCHEMA).slice(1))


def forget(outlines: Outlines) -> None:
    """As new, but for what takes long to make."""
    outlines._known.clear()
    outlines._tried.clear()
    outlines._roles.clear()
    outlines._wanted = frozenset()


def check(renderer: Renderer, outlines: Outlines, drawn: list[tuple[bool, Any, list[tuple[str, str | None]]]]) -> None:
    """Whether rows are encoded as if each were the only one."""
    rows = rows_of(drawn)
    taken = []
    for number in range(len(rows)):
        try:
            pieces_of(renderer, rows[number])
            taken.append(number)
        except InputError:  # roles that do not alternate, a content that the template refuses
            pass
    rows = rows_of([drawn[number] for number in taken])
    forget(outlines)
    expected = renderer.encode([pieces_of(renderer, rows[number])[0] for number in range(len(rows))])
    for _ in range(3):  # the shapes are not known, come again, and are known
        found = _encode(renderer, outlines, rows)
        for one, other in zip(found, expected, strict=True):
            assert np.array_equal(one, other) if isinstance(one, np.ndarray) else one == other


FULL = [
    "a",
    "    def f():\n",
    "tail  \n",
    'a"b\\c\n',
    "naïve 東京 🙂",
    "</think>b",
    "<",
    "{{ x }}",
    "'s",
    "\x1c.",
    "\u00a0x",
    "{}",
]
BLANK = [" ", "    ", "\n\n", "\t"]
OBJECTS = [{"a": 1}, {"é\n": {"b": ['"', None, 1.0]}}, {"a": {}, '"': []}, {"": ""}]


def another(value: Any, random: Random, key: str = "") -> Any:
    """A value of the same shape."""
    if isinstance(value, str):
        return random.choice(BLANK if value.isspace() else FULL) if value else value
    if key == "arguments" and value and isinstance(value, dict | list):
        return random.choice(OBJECTS) if isinstance(value, dict) else random.choice([[1], ["é", {}]])
    if isinstance(value, list):
        return [another(one, random) for one in value]
    return {name: another(one, random, name) for name, one in value.items()} if isinstance(value, dict) else value
