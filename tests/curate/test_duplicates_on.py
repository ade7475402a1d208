"""Rows compared by their prompts or their answers only."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.config import Recipe
from pipeline.curate import keys
from pipeline.curate.dedup.texts import compared
from pipeline.engines import cpu
from tests.curate.test_curate import NO_RULES, Curation, edited, prose
from tests.curate.test_keys import RECIPE, documents, message

PAIR = [message("what is it"), message("it is", "assistant")]
ROWS = documents(
    {"messages": PAIR, "kind": "pair"},
    {"messages": [message("be short", "system"), *PAIR, message("and now"), message("it was", "assistant")]},
    {"messages": [message("only asks")]},
    {"messages": [message("only answers", "assistant")]},
    {"messages": [message("asks"), message(" ", "assistant")]},
    {"messages": [message("asks"), message("", "assistant", extra='{"tool_calls":1}')]},
    {"messages": [message("asks"), message("says", "assistant")], "tools": "[1]"},
    {"messages": [message("says", "assistant")], "tools": "[1]"},
    {"messages": [message("q", "query"), message("p", "positive"), message("n", "negative")], "kind": "retrieval"},
    {"messages": [message("running text", "text")], "kind": "text"},
    {"messages": []},
)


def test_the_part_of_a_row() -> None:
    assert compared(ROWS, "row").normal(cpu).to_pylist()[1] == "be short what is it it is and now it was"
    assert compared(ROWS, "prompt").normal(cpu).to_pylist() == [
        "what is it",
        "be short what is it and now",
        "only asks",
        "only answers",  # it has no prompt: the whole row
        "asks",
        "asks",
        "asks[1]",
        "[1]",  # the tools are its prompt
        "q",
        "running text",
        "",
    ]
    assert compared(ROWS, "answer").normal(cpu).to_pylist() == [
        "it is",
        "it is it was",
        "only asks",  # it has no answer
        "only answers",
        "asks",  # an answer that says nothing is none
        '{"tool_calls":1}',
        "says",
        "says",
        "p n",
        "running text",
        "",
    ]


@pytest.mark.parametrize("on", ["row", "prompt", "answer"])
def test_keys_of_a_slice_are_those_of_the_whole(on: str) -> None:
    recipe = Recipe.model_validate({**RECIPE.model_dump(), "curate": {"dedup": {"on": on}}})
    whole = keys.keys_of(ROWS, recipe, cpu)
    for start in range(0, len(ROWS), 3):
        assert keys.keys_of(ROWS[start : start + 4], recipe, cpu).equals(whole[start : start + 4])
    # Two rows ask the same, two say the same; those that lack the part are not one duplicate.
    assert len(set(whole["digest"].to_pylist())) == len(ROWS) - {"row": 0, "prompt": 1, "answer": 1}[on]


def test_whole_rows_prompts_and_answers(run_curation: Curation) -> None:
    def pair(ask: str, answer: str) -> dict[str, Any]:
        return {"input": ask, "output": answer}

    rows = [
        pair(prose(1), prose(2)),
        pair(prose(1).upper(), prose(3)),  # the same prompt
        pair(prose(4), edited(prose(2), 1)[:-30]),  # nearly the same answer
        pair(prose(4), prose(5)),
    ]

    def gone(on: str) -> dict[str, str]:
        done = run_curation(rows, name=on, kind="pair", curate={"dedup": {"on": on}, **NO_RULES})
        return {line["id"][-1]: line["stage"] + line["evidence"][-1] for line in done.ledger.to_pylist()}

    assert gone("row") == {}
    prompts = gone("prompt")
    assert {value[:-1] for value in prompts.values()} == {"exact"}
    assert sorted("".join(sorted((row, value[-1]))) for row, value in prompts.items()) == ["01", "23"]
    assert gone("answer") == {"2": "fuzzy0"}
