"""Formats of questions and answers: hellaswag, squad, columns, alpaca."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.ingest.conftest import MakeSource, ingest, rejected_of, rows_of

Turns = list[tuple[str, str]]


def turns_of(row: dict[str, Any]) -> Turns:
    return [(turn["role"], turn["content"]) for turn in row["messages"]]


HELLASWAG = '{"ctx":"A man","endings":["eats.","sits on a roof."],"label":%s,"id":3}'
SQUAD = {"id": "q1", "title": "T", "context": "Rome fell.", "question": "What fell?",
         "answers": {"text": [" Rome ", "the city"], "answer_start": [0, 0]}}  # fmt: skip
ARTICLE = (
    '{"title": "T", "paragraphs": [{"context": "Rome fell.", "qas": ['
    '{"id": "q1", "question": "What fell?", "answers": [{"text": "Rome", "answer_start": 1.0e0}]},'
    '{"id": "q2", "question": "Who?", "answers": [], "is_impossible": true}]}, {"context": "Rome rose.", "qas": ['
    '{"id": "q3", "question": "What rose?", "answers": [{"text": "Rome"}]}]}]}'
)


@pytest.mark.parametrize("label", ["1", '"1"'])
def test_hellaswag_takes_the_ending_of_the_label(make_source: MakeSource, label: str) -> None:
    (row,) = rows_of(ingest(make_source((HELLASWAG % label).encode(), kind="pair", format="hellaswag")))
    assert turns_of(row) == [("user", "A man"), ("assistant", "sits on a roof.")]
    assert row["metadata"] == f'{{"endings":["eats.","sits on a roof."],"label":{label},"id":3}}'


@pytest.mark.parametrize("label", ['""', "2", "-1", "true", "null", "1.5", '"x"'])
def test_hellaswag_without_a_right_ending_is_rejected(make_source: MakeSource, label: str) -> None:
    parts = ingest(make_source((HELLASWAG % label).encode(), kind="pair", format="hellaswag"))
    assert [entry["rule"] for entry in rejected_of(parts)] == ["wrong_label"]


def test_squad_with_and_without_a_chat_template(make_source: MakeSource) -> None:
    line = json.dumps(SQUAD).encode()
    (pair,) = rows_of(ingest(make_source(line, kind="pair", format="squad")))
    assert turns_of(pair) == [("user", "Context: Rome fell. Question: What fell? Answer:"), ("assistant", "Rome")]
    assert json.loads(pair["metadata"]) == {key: SQUAD[key] for key in ("id", "title", "answers")}
    (chat,) = rows_of(ingest(make_source(line, kind="chat", format="squad")))
    assert turns_of(chat) == [("system", "Rome fell."), ("user", "What fell?"), ("assistant", "Rome")]


def test_an_article_of_squad_is_a_row_a_question(make_source: MakeSource) -> None:
    parts = ingest(make_source(ARTICLE.encode(), kind="chat", format="squad"))
    one, three = rows_of(parts)
    assert (one["id"], three["id"]) == ("s/rows.jsonl#0.0", "s/rows.jsonl#0.2")
    assert turns_of(three) == [("system", "Rome rose."), ("user", "What rose?"), ("assistant", "Rome")]
    assert one["metadata"] == '{"title":"T","id":"q1","answers":[{"text": "Rome", "answer_start": 1.0e0}]}'
    (rejected,) = rejected_of(parts)
    assert (rejected["id"], rejected["rule"]) == ("s/rows.jsonl#0.1", "empty_text")
    assert "paragraph 1: question 2" in rejected["evidence"]
    assert parts[0].rows_in == 3


def test_places_stay_in_order_beside_records_of_several_rows(make_source: MakeSource) -> None:
    broken = b'\n{"title": "T", "paragraphs": 3}\n'
    (part,) = ingest(make_source(ARTICLE.encode() + broken + json.dumps(SQUAD).encode(), kind="pair", format="squad"))
    assert part.places.tolist() == [0, 2, 4]
    assert part.rejected_places.tolist() == [1, 3]
    assert part.rows_in == 5


@pytest.mark.parametrize(
    ("kind", "columns", "row", "expected"),
    [
        ("pair", {"question": "q", "answer": "a"}, {"q": "2+2?", "a": 4, "n": 1},
         [("user", "2+2?"), ("assistant", "4")]),
        ("pair", {"context": "c", "question": "q", "answer": "a"}, {"c": "Rome", "q": "2+2?", "a": True},
         [("user", "Rome 2+2?"), ("assistant", "true")]),
        ("chat", {"context": "c", "question": "q", "answer": "a"}, {"c": "Rome", "q": "2+2?", "a": "4"},
         [("system", "Rome"), ("user", "2+2?"), ("assistant", "4")]),
        ("chat", {"context": "c", "question": "q", "answer": "a"}, {"c": None, "q": "2+2?", "a": "4"},
         [("user", "2+2?"), ("assistant", "4")]),
        ("chat", {"context": "c", "answer": "a"}, {"c": "Rome", "a": "4"}, [("user", "Rome"), ("assistant", "4")]),
    ],
)  # fmt: skip
def test_columns_map_any_schema(
    make_source: MakeSource, kind: str, columns: dict[str, str], row: dict[str, Any], expected: Turns
) -> None:
    (read,) = rows_of(ingest(make_source(json.dumps(row).encode(), kind=kind, format="columns", columns=columns)))
    assert turns_of(read) == expected
    assert read["metadata"] == ('{"n":1}' if "n" in row else None)


@pytest.mark.parametrize(
    ("row", "rule", "says"),
    [
        ({"quesion": "x", "answer": "4"}, "missing_key", "did you mean 'quesion'?"),
        ({"question": "x", "answer": None}, "empty_text", "'answer' is empty"),
        ({"question": " ", "answer": "4"}, "empty_text", "'question' is empty"),
        ({"question": "x", "answer": ["4"]}, "wrong_type", "a list"),
    ],
)
def test_columns_reject(make_source: MakeSource, row: dict[str, Any], rule: str, says: str) -> None:
    columns = {"question": "question", "answer": "answer"}
    parts = ingest(make_source(json.dumps(row).encode(), kind="pair", format="columns", columns=columns))
    (rejected,) = rejected_of(parts)
    assert rejected["rule"] == rule
    assert says in rejected["evidence"]


def test_alpaca_puts_the_input_after_the_instruction(make_source: MakeSource) -> None:
    rows = (
        b'{"instruction":"Add.","input":"2 and 2","output":"4","system":"Be brief.","n":1e0}\n'
        b'{"instruction":"Hi","input":"","output":"Hello"}\n{"instruction":"Hi","output":"Hello"}'
    )
    one, two, three = rows_of(ingest(make_source(rows, kind="pair", format="alpaca")))
    assert turns_of(one) == [("user", "Add.\n\n2 and 2"), ("assistant", "4")]
    assert one["metadata"] == '{"system":"Be brief.","n":1e0}'
    assert turns_of(two) == turns_of(three) == [("user", "Hi"), ("assistant", "Hello")]


def test_alpaca_as_a_chat_has_a_system_and_a_history(make_source: MakeSource) -> None:
    line = b'{"instruction":"And 3?","output":"9","system":"Be brief.","history":[["2?","4"]]}'
    (row,) = rows_of(ingest(make_source(line, kind="chat", format="alpaca")))
    assert turns_of(row) == [
        ("system", "Be brief."), ("user", "2?"), ("assistant", "4"), ("user", "And 3?"), ("assistant", "9"),
    ]  # fmt: skip
    parts = ingest(make_source(line.replace(b'["2?","4"]', b'["2?"]'), kind="chat", format="alpaca"))
    assert [entry["rule"] for entry in rejected_of(parts)] == ["wrong_type"]
