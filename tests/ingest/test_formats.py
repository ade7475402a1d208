from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.config import Source
from pipeline.errors import RecipeError
from pipeline.ingest import check_source
from pipeline.ingest.formats import FORMATS
from tests.ingest.conftest import MakeSource, ingest, rejected_of, rows_of

plain = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
said = plain.filter(lambda text: bool(text.strip()))
READ = {"messages", "tools", "role", "content", "text", "input", "output", "tool_calls", "reasoning_content"}
more = st.dictionaries(
    plain.filter(lambda key: key not in READ),
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | plain
    | st.lists(plain),
    max_size=3,
)
call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"x": 1.0}'}}
turns = st.builds(
    lambda role, content, keys: (
        {"role": role, "content": content} | ({"tool_call_id": "1"} if role == "tool" else {}) | keys
    ),
    st.sampled_from(["system", "user", "assistant", "tool"]), said, more,
)  # fmt: skip
calls = st.builds(lambda keys: {"role": "assistant", "content": None, "tool_calls": [call]} | keys, more)
rows = {
    "text": st.builds(lambda text, keys: {"text": text} | keys, said, more),
    "completion": st.builds(lambda one, two, keys: {"input": one, "output": two} | keys, said, said, more),
    "chat": st.builds(lambda messages, keys: {"messages": messages} | keys, st.lists(turns | calls, min_size=1), more)
    | st.builds(lambda turn, tools: {"messages": [turn], "tools": tools}, turns, st.lists(more, min_size=1)),
}


def back(format: str, row: dict[str, Any]) -> dict[str, Any]:
    """The row that ingest read, made from what it stored."""
    messages = [
        {"role": turn["role"], "content": turn["content"]} | json.loads(turn["extra"] or "{}")
        for turn in row["messages"]
    ]
    rest = json.loads(row["metadata"] or "{}")
    if format in ("text", "code"):
        assert [turn["role"] for turn in messages] == ["text"]
        return {"text": messages[0]["content"]} | rest
    if format == "completion":
        assert [turn["role"] for turn in messages] == ["user", "assistant"]
        return {"input": messages[0]["content"], "output": messages[1]["content"]} | rest
    if format == "retrieval":
        query, *documents = messages
        keys = {"pos_doc": "positive", "neg_doc": "negative"}
        by_role = {key: [one["content"] for one in documents if one["role"] == role] for key, role in keys.items()}
        return {"query": query["content"]} | by_role | rest
    return {"messages": messages} | ({"tools": json.loads(row["tools"])} if row["tools"] else {}) | rest


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(st.data())
@pytest.mark.parametrize("format", sorted(rows))
def test_a_row_can_be_made_again_from_what_is_stored(make_source: MakeSource, format: str, data: st.DataObject) -> None:
    given_rows = data.draw(st.lists(rows[format], max_size=4))
    lines = "\n".join(json.dumps(row, ensure_ascii=data.draw(st.booleans())) for row in given_rows)
    parts = ingest(make_source(lines.encode(), kind=FORMATS[format].kinds[0], format=format))
    assert rejected_of(parts) == []
    assert [back(format, row) for row in rows_of(parts)] == given_rows


def test_columns_name_the_keys_of_the_file(make_source: MakeSource) -> None:
    source = make_source(
        b'{"question":"2+2","answer":"4","input":"other"}',
        kind="pair", format="completion", columns={"input": "question", "output": "answer"},
    )  # fmt: skip
    (row,) = rows_of(ingest(source))
    assert [(turn["role"], turn["content"]) for turn in row["messages"]] == [("user", "2+2"), ("assistant", "4")]
    assert row["metadata"] == '{"input":"other"}'


def test_a_call_of_tools_keeps_its_exact_json(make_source: MakeSource) -> None:
    line = (
        b'{"tools": [{"type":"function", "max": 1.50}], "id": 12345678901234567890123,'
        b' "messages": [{"role":"user","content":"hi"},'
        b' {"role":"assistant","content":null,'
        b'"tool_calls":[{"function":{"name":"f","arguments":"{\\"a\\": 1e2}"}, "n": 1.0e2}]},'
        b' {"role":"tool","tool_call_id":"c1","content":""}]}'
    )
    (row,) = rows_of(ingest(make_source(line, kind="chat", format="chat")))
    assert row["tools"] == '[{"type":"function", "max": 1.50}]'
    assert row["metadata"] == '{"id":12345678901234567890123}'
    user, assistant, tool = row["messages"]
    assert user == {"role": "user", "content": "hi", "extra": None}
    assert assistant["content"] == ""
    assert (
        assistant["extra"]
        == '{"content":null,"tool_calls":[{"function":{"name":"f","arguments":"{\\"a\\": 1e2}"}, "n": 1.0e2}]}'
    )
    assert tool == {"role": "tool", "content": "", "extra": '{"tool_call_id":"c1"}'}


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        ({}, "missing_key"),
        ({"messages": None}, "null_value"),
        ({"messages": "x"}, "wrong_type"),
        ({"messages": []}, "empty_text"),
        ({"messages": ["x"]}, "wrong_type"),
        ({"messages": [{"content": "x"}]}, "missing_key"),
        ({"messages": [{"role": None, "content": "x"}]}, "null_value"),
        ({"messages": [{"role": 1, "content": "x"}]}, "wrong_type"),
        ({"messages": [{"role": "human", "content": "x"}]}, "wrong_role"),
        ({"messages": [{"role": "user"}]}, "missing_key"),
        ({"messages": [{"role": "user", "contnet": "x"}]}, "missing_key"),
        ({"messages": [{"role": "user", "content": None}]}, "null_value"),
        ({"messages": [{"role": "user", "content": None, "tool_calls": [call]}]}, "null_value"),
        ({"messages": [{"role": "assistant", "content": "x", "tool_calls": {}}]}, "wrong_type"),
        ({"messages": [{"role": "assistant", "content": "x", "tool_calls": [{}]}]}, "wrong_tool_call"),
        ({"messages": [{"role": "assistant", "content": "x", "tool_calls": [{"function": {}}]}]}, "wrong_tool_call"),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{"}}]}]},
            "wrong_tool_call",
        ),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "3"}}]}]},
            "wrong_tool_call",
        ),
        ({"messages": [{"role": "tool", "content": "x"}]}, "missing_key"),
        ({"messages": [{"role": "assistant", "content": "x", "reasoning_content": 1}]}, "wrong_type"),
        ({"messages": [{"role": "user", "content": "x"}], "tools": ["f"]}, "wrong_type"),
        ({"messages": [{"role": "assistant", "content": None, "tool_calls": []}]}, "null_value"),
        ({"messages": [{"role": "assistant", "content": "", "name": "x"}]}, "empty_text"),
        ({"messages": [{"role": "user", "content": {"text": "x"}}]}, "wrong_type"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "not_text"),
        ({"messages": [{"role": "user", "content": " \n"}]}, "empty_text"),
        ({"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": ""}]}, "empty_text"),
        ({"messages": [{"role": "user", "content": "x"}], "tools": "["}, "malformed_json"),
    ],
)
def test_a_conversation_that_is_none_is_rejected(make_source: MakeSource, row: Any, rule: str) -> None:
    parts = ingest(make_source(json.dumps(row).encode(), kind="chat", format="chat"))
    assert [entry["rule"] for entry in rejected_of(parts)] == [rule]
    assert rows_of(parts) == []


def test_a_pair_needs_both_halves(make_source: MakeSource) -> None:
    lines = b'{"input":"x"}\n{"output":"x"}\n{"input":"","output":"x"}\n{"input":"x","output":null}'
    parts = ingest(make_source(lines, kind="pair", format="completion"))
    assert [entry["rule"] for entry in rejected_of(parts)] == ["missing_key", "missing_key", "empty_text", "null_value"]


@pytest.mark.parametrize(
    ("kind", "format", "columns", "says"),
    [
        ("pair", "text", {}, "kind text or code, not pair"),
        ("text", "chat", {}, "kind chat, not text"),
        ("pair", "columns", {"answer": "a"}, "which keys hold what"),
        ("pair", "completion", {"inptu": "q"}, "did you mean 'input'"),
        ("text", "rows", {}, "for what a target yields"),
    ],
)
def test_a_source_that_does_not_fit_itself_is_refused(
    make_source: MakeSource, kind: str, format: str, columns: dict[str, str], says: str
) -> None:
    source = make_source(b"", kind=kind, format=format, columns=columns)
    with pytest.raises(RecipeError) as caught:
        check_source(source)
    assert says in str(caught.value)


@pytest.mark.parametrize("kind", ["text", "code", "pair", "chat", "retrieval"])
def test_every_kind_of_a_target_has_a_format(kind: str) -> None:
    check_source(Source.model_validate({"name": "s", "kind": kind, "target": "sources.python_stdlib:files"}))
