"""Properties: calls are equal as JSON, in any order and any template's writing; what is no call is none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.evaluate.metrics.tools import calls_in, calls_of, tool_call, written
from tests.text.columns import shared

WEATHER = {"name": "weather", "arguments": {"city": "Zürich", "days": 3}}
TIME = {"name": "time", "arguments": {}}
REFERENCE = written([WEATHER, TIME])


@pytest.mark.parametrize(
    "answer",
    [
        REFERENCE,
        written([TIME, WEATHER]),
        json.dumps([TIME, WEATHER]),
        f"Let me look.\n{json.dumps(WEATHER)}; {json.dumps(TIME)}",
        json.dumps(
            [{"type": "function", "function": {**WEATHER, "arguments": json.dumps(WEATHER["arguments"])}}, TIME]
        ),
        '[{"name": "weather", "parameters": {"days": 3.0, "city": "Z\\u00fcrich"}}, '
        '{"name": "time", "parameters": {}}]',
    ],
)
def test_the_same_calls_match_however_they_are_written(answer: str) -> None:
    assert tool_call(answer, REFERENCE) == 1.0


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "weather(city='Zürich')",
        written([WEATHER]),
        written([WEATHER, TIME, TIME]),
        written([{**WEATHER, "arguments": {"city": "Zürich", "days": "3"}}, TIME]),
        written([{**WEATHER, "name": "Weather"}, TIME]),
        REFERENCE[:-30],
        "[" * 100_000,
        '{"a":' * 100_000,
    ],
)
def test_other_calls_do_not(answer: str) -> None:
    assert tool_call(answer, REFERENCE) == 0.0


def test_calls_of_a_message_are_found_in_both_of_openai_s_forms() -> None:
    arguments = json.dumps(WEATHER["arguments"])
    new = {"tool_calls": [{"id": "1", "type": "function", "function": {"name": "weather", "arguments": arguments}}]}
    old = {"function_call": {"name": "weather", "arguments": arguments}}
    assert calls_of(json.dumps(new)) == calls_of(json.dumps(old)) == [WEATHER]
    for extra in (None, "", "{", "[]", '{"tool_calls": 3}', '{"tool_calls": ["x"]}', '{"reasoning_content": "…"}'):
        assert calls_of(extra) == []


def test_the_answers_of_bfcl_find_themselves_and_no_other() -> None:
    file = shared("tools-bfcl") / "possible_answer/BFCL_v4_live_parallel.json"
    rows = [json.loads(line)["ground_truth"] for line in file.read_text().splitlines()]

    def first(values: dict[str, list[Any]]) -> dict[str, Any]:
        return {key: options[0] for key, options in values.items() if options and options[0] != ""}

    several = [
        [{"name": name, "arguments": first(values)} for call in row for name, values in call.items()] for row in rows
    ]
    assert len(several) > 10
    texts = [written(one) for one in several]
    for at, text in enumerate(texts):
        assert calls_in(text) == several[at]
        assert tool_call(text, text) == 1.0
        assert tool_call(text, texts[at - 1]) == float(several[at] == several[at - 1])
