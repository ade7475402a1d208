"""Formats of conversations: chat, sharegpt, openassistant; and retrieval."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.config import Source
from pipeline.errors import InputError, RecipeError
from pipeline.ingest import check_source, survey
from tests.ingest.conftest import MakeSource, ingest, rejected_of, rows_of
from tests.ingest.formats.test_instructions import turns_of

HELLO = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]


def test_a_system_message_from_a_key_or_from_the_source(make_source: MakeSource) -> None:
    own = [{"role": "system", "content": "Own."}, *HELLO]
    lines = [{"messages": HELLO, "who": "Keyed."}, {"messages": HELLO, "who": " "}, {"messages": own}]
    data = "\n".join(map(json.dumps, lines)).encode()
    keyed, default, kept = rows_of(
        ingest(make_source(data, kind="chat", format="chat", columns={"system": "who"}, system_prompt="Default."))
    )
    said = [("user", "Hi"), ("assistant", "Hello")]
    assert turns_of(keyed) == [("system", "Keyed."), *said]
    assert turns_of(default) == [("system", "Default."), *said]
    assert turns_of(kept) == [("system", "Own."), *said]
    assert keyed["metadata"] is None
    twice = json.dumps({"messages": own, "who": "Keyed."}).encode()
    parts = ingest(make_source(twice, kind="chat", format="chat", columns={"system": "who"}))
    assert [entry["rule"] for entry in rejected_of(parts)] == ["wrong_role"]


def test_a_system_prompt_is_for_chats() -> None:
    with pytest.raises(ValueError, match="`system_prompt` has no effect with `kind: pair`"):
        Source.model_validate({"name": "s", "kind": "pair", "target": "a:b", "system_prompt": "x"})


def test_contents_may_be_parts_of_text(make_source: MakeSource) -> None:
    parts = [{"type": "text", "text": "Is it "}, {"type": "text", "text": "on?"}]
    lines = [
        {"messages": [{"role": "user", "content": parts, "name": "ann"}, {"role": "assistant", "content": "Yes."}]},
        {"messages": [{"role": "user", "content": [*parts, {"type": "image_url", "image_url": {"url": "x"}}]}]},
        {"messages": [{"role": "user", "content": [{"type": "+41 44 668 18 00"}]}]},
        {"messages": [{"role": "user", "content": []}]},
        {"messages": [{"role": "user", "content": ["x"]}]},
    ]
    read = ingest(make_source("\n".join(map(json.dumps, lines)).encode(), kind="chat", format="chat"))
    (row,) = rows_of(read)
    assert turns_of(row) == [("user", "Is it on?"), ("assistant", "Yes.")]
    assert row["messages"][0]["extra"] == '{"name":"ann"}'
    why = [(entry["rule"], entry["evidence"].rpartition(": message 1: ")[2]) for entry in rejected_of(read)]
    assert why == [
        ("not_text", "part 3: image_url, and only parts of type text can be read"),
        ("not_text", "part 1: of another type, and only parts of type text can be read"),
        ("empty_text", "'content' is empty"),
        ("wrong_type", "part 1: a string, not an object"),
    ]


def test_turns_of_several_messages(make_source: MakeSource) -> None:
    line = (
        b'{"question": [[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi", "n": 1.0e2}], '
        b'[], [{"role": "user", "content": "Ho"}]], "function": [{"name": "look", "parameters": {"n": 1.0e2}}]}\n'
        b'{"question": [[]]}'
    )
    read = ingest(make_source(line, kind="chat", format="chat", columns={"messages": "question", "tools": "function"}))
    (row,) = rows_of(read)
    assert turns_of(row) == [("system", "Be brief."), ("user", "Hi"), ("user", "Ho")]
    assert [message["extra"] for message in row["messages"]] == [None, '{"n":1.0e2}', None]
    assert row["tools"] == '[{"name": "look", "parameters": {"n": 1.0e2}}]'
    assert [entry["rule"] for entry in rejected_of(read)] == ["empty_text"]


@pytest.mark.parametrize("format", ["chat", "sharegpt"])
def test_speakers_of_any_name(make_source: MakeSource, format: str) -> None:
    line = b'{"turns": [{"speaker": "USER", "utterance": "Hi", "n": 1}, {"speaker": "SYSTEM", "utterance": "Ho"}]}'
    names = ("messages", "role", "content") if format == "chat" else ("conversations", "from", "value")
    columns = dict(zip(names, ("turns", "speaker", "utterance"), strict=True))
    keys = {"kind": "chat", "format": format, "columns": columns}
    read = ingest(make_source(line, **keys))
    assert [entry["rule"] for entry in rejected_of(read)] == ["wrong_role"]
    (row,) = rows_of(ingest(make_source(line, **keys, roles={"USER": "user", "SYSTEM": "assistant"})))
    assert turns_of(row) == [("user", "Hi"), ("assistant", "Ho")]
    assert row["messages"][0]["extra"] == '{"n":1}'
    with pytest.raises(RecipeError, match=r"knows no role 'assistent' \(did you mean 'assistant'\?\)"):
        check_source(make_source(line, **keys, roles={"SYSTEM": "assistent"}))


def test_tools_may_be_a_string_of_json(make_source: MakeSource) -> None:
    tools = '[{"type": "function", "n": 1.0e2}]'
    line = json.dumps({"messages": HELLO, "tools": tools}).encode()
    (row,) = rows_of(ingest(make_source(line, kind="chat", format="chat")))
    assert row["tools"] == tools


def test_a_key_that_a_string_of_json_hides_does_not_travel_on(make_source: MakeSource) -> None:
    line = json.dumps({"messages": HELLO, "tools": '[{"a": "a@b.example", "a": 1}]'}).encode()
    (row,) = rows_of(ingest(make_source(line, kind="chat", format="chat")))
    assert row["tools"] == '[{"a":1}]'


def test_reasoning_stays_with_its_message(make_source: MakeSource) -> None:
    line = (
        b'{"messages":[{"role":"user","content":"2+2?"},{"role":"assistant","reasoning_content":"hm","content":"4"}]}'
    )
    (row,) = rows_of(ingest(make_source(line, kind="chat", format="chat")))
    assert row["messages"][1]["extra"] == '{"reasoning_content":"hm"}'


def test_sharegpt_calls_become_those_of_openai(make_source: MakeSource) -> None:
    turns = [
        {"from": "human", "value": "Cook", "weight": 1},
        {
            "from": "function_call",
            "value": '[{"name": "f", "arguments": {"x":  1.0e1}}, {"name": "g", "arguments": {}}]',
        },
        {"from": "observation", "value": ""},
        {"from": "observation", "value": "done"},
        {"from": "function_call", "value": '{"name": "h", "arguments": "{\\"y\\": 2}"}'},
        {"from": "observation", "value": "yes"},
        {"from": "gpt", "value": "Here"},
    ]
    row = {"conversations": turns, "system": "S", "tools": '[{"name": "f", "max": 1.50}]', "id": 7}
    (read,) = rows_of(ingest(make_source(json.dumps(row).encode(), kind="chat", format="sharegpt")))
    roles = [role for role, _ in turns_of(read)]
    assert roles == ["system", "user", "assistant", "tool", "tool", "assistant", "tool", "assistant"]
    extras = [turn["extra"] and json.loads(turn["extra"]) for turn in read["messages"]]
    assert extras[1] == {"weight": 1}
    assert [call["function"] for call in extras[2]["tool_calls"]] == [
        {"name": "f", "arguments": '{"x":  1.0e1}'}, {"name": "g", "arguments": "{}"},
    ]  # fmt: skip
    assert [extra["tool_call_id"] for extra in (extras[3], extras[4], extras[6])] == ["call_0", "call_1", "call_2"]
    assert extras[5]["tool_calls"][0]["function"]["arguments"] == '{"y": 2}'
    assert read["tools"] == '[{"type":"function","function":{"name": "f", "max": 1.50}}]'
    assert read["metadata"] == '{"id":7}'


@pytest.mark.parametrize(
    ("turns", "rule"),
    [
        ([{"from": "alien", "value": "x"}], "wrong_role"),
        ([{"from": "observation", "value": "x"}], "wrong_role"),
        ([{"from": "human", "value": "x"}, {"from": "system", "value": "x"}], "wrong_role"),
        ([{"from": "gpt", "value": " "}], "empty_text"),
        ([{"from": "gpt"}], "missing_key"),
        (["x"], "wrong_type"),
        ([], "empty_text"),
        ([{"from": "function_call", "value": "f(x)"}], "malformed_json"),
        ([{"from": "function_call", "value": "[]"}], "wrong_tool_call"),
        ([{"from": "function_call", "value": '{"name": "f"}'}], "missing_key"),
        ([{"from": "function_call", "value": '{"name": "f", "arguments": 3}'}], "wrong_tool_call"),
    ],
)
def test_a_sharegpt_row_that_is_none_is_rejected(make_source: MakeSource, turns: list[Any], rule: str) -> None:
    parts = ingest(make_source(json.dumps({"conversations": turns}).encode(), kind="chat", format="sharegpt"))
    assert [entry["rule"] for entry in rejected_of(parts)] == [rule]


def node(text: str, role: str, *replies: dict[str, Any], **keys: Any) -> dict[str, Any]:
    return {"text": text, "role": role, **keys, "replies": list(replies)}


TREE = node(
    "Q", "prompter",
    node("A1", "assistant", rank=1),
    node("A0", "assistant", node("Q2", "prompter"), node("Q3", "prompter", node("A3", "assistant")), rank=0),
    node("A4", "assistant", node("Q5", "prompter"), node("Q6", "prompter"), rank=2),
    node("A5", "assistant", rank=-1, deleted=True),
)  # fmt: skip


def test_the_best_path_of_a_tree(make_source: MakeSource) -> None:
    data = json.dumps({"message_tree_id": "t", "prompt": TREE}).encode()
    (row,) = rows_of(ingest(make_source(data, kind="chat", format="openassistant")))
    assert row["id"] == "s/rows.jsonl#0"
    assert turns_of(row) == [("user", "Q"), ("assistant", "A0")]  # its first reply has no answer
    assert row["messages"][1]["extra"] == '{"rank":0}'
    assert row["metadata"] == '{"message_tree_id":"t"}'


def test_all_paths_of_a_tree_each_once(make_source: MakeSource) -> None:
    data = json.dumps({"prompt": TREE}).encode()
    rows = rows_of(ingest(make_source(data, kind="chat", format="openassistant", tree="all")))
    assert ["".join(text for _, text in turns_of(row)) for row in rows] == ["QA1", "QA0", "QA0Q3A3", "QA4"]
    assert [row["id"] for row in rows] == [f"s/rows.jsonl#0.{number}" for number in range(4)]


@pytest.mark.parametrize(
    ("tree", "rule"),
    [
        (node("Q", "prompter"), "empty_text"),
        (node("Q", "pirate", node("A", "assistant")), "wrong_role"),
        (node("Q", "prompter", node(" ", "assistant")), "empty_text"),
        ({"text": "Q", "role": "prompter", "replies": 3}, "wrong_type"),
        (node("Q", "prompter", node("A", "assistant"), deleted=True), "empty_text"),
        ("Q", "wrong_type"),
    ],
)
@pytest.mark.parametrize("paths", ["best", "all"])
def test_a_tree_that_is_none_is_rejected(make_source: MakeSource, tree: Any, rule: str, paths: str) -> None:
    data = json.dumps({"prompt": tree}).encode()
    parts = ingest(make_source(data, kind="chat", format="openassistant", tree=paths))
    assert [entry["rule"] for entry in rejected_of(parts)] == [rule]


def test_retrieval_rows_hold_a_question_and_documents(make_source: MakeSource) -> None:
    lines = (
        b'{"query":"Q","pos_doc":"P","neg_doc":["N1",{"text":"N2","score": 1.0e1}],"id":1}\n'
        b'{"question":"Q","pos_doc":{"text":"P"}}\n{"query":"Q","pos_doc":[],"neg_doc":["N"]}\n'
        b'{"query":"Q","pos_doc":[3]}\n{"query":"Q","neg_doc":[]}'
    )
    parts = ingest(make_source(lines, kind="retrieval", format="retrieval"))
    one, two = rows_of(parts)
    assert turns_of(one) == [("query", "Q"), ("positive", "P"), ("negative", "N1"), ("negative", "N2")]
    assert one["messages"][3]["extra"] == '{"score":1.0e1}'
    assert one["metadata"] == '{"id":1}'
    assert turns_of(two) == [("query", "Q"), ("positive", "P")]
    assert [entry["rule"] for entry in rejected_of(parts)] == ["empty_text", "wrong_type", "missing_key"]


def test_skip_invalid_false_stops_at_the_first(make_source: MakeSource) -> None:
    data = b'{"text":"fine"}\n{"text":"my secret", "text": 1}\n'
    assert len(rejected_of(ingest(make_source(data)))) == 1
    with pytest.raises(InputError) as caught:
        ingest(make_source(data, skip_invalid=False))
    assert "rows.jsonl:2: 'text' is a number" in str(caught.value)
    assert "skip_invalid: true" in caught.value.mend
    assert "secret" not in str(caught.value)


def test_retrieval_rows_may_name_documents_of_a_corpus(make_source: MakeSource, tmp_path: Path) -> None:
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "merlin_metadata.json").write_text(json.dumps({"class": "TextQADataset", "corpus_id": name}))
        table = pa.table({"id": [str(number) for number in range(40)], "text": [f"{name} {n}" for n in range(40)]})
        pq.write_table(table, folder / "part.parquet", row_group_size=3)
    rows = [
        {
            "question_id": "q",
            "question": "Q",
            "corpus_id": "two",
            "pos_doc": [{"id": "39"}],
            "neg_doc": ["0", {"id": 7}],
        },
        {"question": "Q", "corpus_id": "one", "pos_doc": [{"id": "5"}], "neg_doc": []},
        {"question": "Q", "corpus_id": "one", "pos_doc": [{"id": "99"}], "neg_doc": []},
        {"question": "Q", "corpus_id": "none", "pos_doc": [{"id": "5"}], "neg_doc": []},
    ]
    data = json.dumps({"corpus": [{"path": "one"}], "data": rows}).encode()
    keys = {"kind": "retrieval", "format": "retrieval", "corpus": [str(tmp_path / "one"), str(tmp_path / "two")]}
    source = make_source(data, file="train.json", **keys)
    parts = ingest(source)
    one, two = rows_of(parts)
    assert turns_of(one) == [("query", "Q"), ("positive", "two 39"), ("negative", "two 0"), ("negative", "two 7")]
    assert one["messages"][1]["extra"] == '{"id": "39"}'
    assert one["metadata"] == '{"question_id":"q","corpus_id":"two"}'
    assert turns_of(two)[1] == ("positive", "one 5")
    assert [entry["rule"] for entry in rejected_of(parts)] == ["missing_document", "missing_document"]
    before = survey(source, part_bytes=99).fingerprint
    (tmp_path / "one" / "merlin_metadata.json").write_text(json.dumps({"corpus_id": "renamed"}))
    assert survey(source, part_bytes=99).fingerprint != before
    with pytest.raises(InputError, match="names it"):
        check_source(source.model_copy(update={"corpus": [str(tmp_path)]}))
