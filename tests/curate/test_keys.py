"""Keys are row-wise: they depend on nothing but the row, and tell rows apart by everything that they say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.config import Recipe
from pipeline.curate import keys
from pipeline.engines import cpu
from pipeline.schema import DOCUMENTS, KEYS, SIGNALS

RECIPE = Recipe.model_validate(
    {
        "run": "unused",
        "sources": [
            {"name": name, "kind": "text", "format": "text", "path": "x", "priority": number}
            for number, name in enumerate(("s", "t"))
        ],
        "train": {"model": {"path": "unused"}},
    }
)


def message(content: str, role: str = "user", extra: str | None = None) -> dict[str, Any]:
    return {"role": role, "content": content, "extra": extra}


def documents(*rows: dict[str, Any]) -> pa.Table:
    signals = {name: None if dtype == pa.string() else 0 for name, dtype in SIGNALS.items()}
    given = [{"id": f"s/x#{n}", "source": "s", "kind": "chat", **signals, **row} for n, row in enumerate(rows)]
    return pa.Table.from_pylist(given, schema=DOCUMENTS)


ROWS = documents(
    {"messages": [message("a b"), message("c")]},
    {"messages": [message("A  B", "text")], "kind": "text", "source": "t"},
    {"messages": [message("a b", "text")], "kind": "text"},
    {"messages": [message("a b")]},
    {"messages": [message("A b")]},
    {"messages": [message("a b", "assistant")]},
    {"messages": [message("a b", extra='{"x":1}')]},
    {"messages": [message("a b")], "tools": "[1]"},
    {"messages": [message("a b\n\nc")]},
    {"messages": [message("a b"), message("", extra='{"x":1}')]},
    {"messages": []},
    {"messages": [message("a b", "text")], "kind": "code"},
    {"messages": [message("A b", "text")], "kind": "code"},
    {"messages": [message("a  b", "text")], "kind": "code"},
)


def test_rows_are_told_apart_by_everything_that_they_say() -> None:
    digests = keys.keys_of(ROWS, RECIPE, cpu)["digest"].to_pylist()
    assert digests[1] == digests[2], "text is compared in its normal form"
    assert digests[3] == digests[4], "and so are the messages of a conversation"
    assert len(set(digests)) == len(digests) - 2, "in code, case and white space are meaning"


def test_sketches_are_of_all_that_a_row_says() -> None:
    sketches = keys.keys_of(ROWS, RECIPE, cpu)["sketch"].to_pylist()
    assert sketches[0] == sketches[8] != sketches[3]
    fuzzy = RECIPE.curate.dedup.fuzzy
    assert fuzzy is not None
    texts = pa.array(['a b{"x":1}', "a b[1]"], pa.large_string())
    made = cpu.sketch(texts, values=fuzzy.sketch, shingle=fuzzy.shingle.width)
    assert sketches[6:8] == [sketch.tobytes() for sketch in made]


def test_neighbours_change_nothing() -> None:
    whole = keys.keys_of(ROWS, RECIPE, cpu)
    assert whole.schema == KEYS
    assert whole["priority"].to_pylist() == [0, 1] + [0] * 12
    order = np.random.default_rng(0).permutation(len(ROWS))
    for rows in (ROWS.take(pa.array(order)), ROWS.take(pa.array(order)).combine_chunks()):
        assert keys.keys_of(rows, RECIPE, cpu).equals(whole.take(pa.array(order)))
    assert keys.keys_of(ROWS[3:7], RECIPE, cpu).equals(whole[3:7])
    assert keys.keys_of(ROWS[:0], RECIPE, cpu).equals(whole[:0])
