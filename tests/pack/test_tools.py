"""Tools and calls of published sets, through ingest, curation and packing: what is trained holds their very bytes."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipeline.config import Recipe
from pipeline.curate import curate
from pipeline.pack import pack
from pipeline.pack.bins import Bins
from pipeline.pack.tokenizer import load_tokenizer
from pipeline.run import RunDirectory
from tests.text.columns import shared

Texts = dict[str, tuple[str, str, str]]
"""Id → the row's tools and calls as curated, and the text of its tokens."""

PROBLEMS = "BFCL_v4_live_parallel.json"
GLAIVE_ROWS = 60


@pytest.fixture(scope="module")
def glaive() -> list[dict[str, Any]]:
    file = shared("chat-llamafactory-demos") / "glaive_toolcall_en_demo.json.gz"
    return list(json.loads(gzip.decompress(file.read_bytes()))[:GLAIVE_ROWS])


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory, glaive: list[dict[str, Any]]) -> Texts:
    """Both sets in one run: most of its time is starting."""
    folder = tmp_path_factory.mktemp("tools")
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, glaive)))
    bfcl = {"name": "bfcl", "format": "chat", "container": "jsonl", "path": str(shared("tools-bfcl") / PROBLEMS)}
    recipe = Recipe.model_validate(
        {
            "run": str(folder / "run"),
            "cluster": {"workers": 1},
            "sources": [
                {**bfcl, "kind": "chat", "columns": {"messages": "question", "tools": "function"}},
                {"name": "glaive", "kind": "chat", "format": "sharegpt", "path": str(folder / "rows.jsonl")},
            ],
            "curate": {
                "clean": None,
                "pii": None,
                "rules": {"preset": "none"},
                "dedup": {"exact": False, "fuzzy": None},
                "split": {"train": 1, "validation": 0, "test": 0},
            },
            "pack": {"seq_length": 16384, "vocab_size": 600, "loss": {"roles": ["user", "assistant"]}},
        }
    )
    run = RunDirectory.open(recipe)
    curate(run, recipe)
    pack(run, recipe)
    tokenizer, bins = load_tokenizer(run.path("tokenizer")), Bins.open(run.path("packed/train"))
    texts = {}
    for number in range(len(bins)):
        packed = bins.get(number)
        ends = [*packed.starts.tolist(), len(packed.tokens)]
        for place, row in enumerate(packed.rows):
            texts[row] = str(tokenizer.decode(packed.tokens[ends[place] : ends[place + 1]]))
    rows = [row for file in run.path("curated/train").glob("part-*") for row in pq.read_table(file).to_pylist()]
    return {
        row["id"]: (row["tools"] or "", "".join(one["extra"] or "" for one in row["messages"]), texts[row["id"]])
        for row in rows
    }


def test_function_calling_problems_are_trained_byte_for_byte(found: Texts) -> None:
    lines = (shared("tools-bfcl") / PROBLEMS).read_text().splitlines()
    assert len(lines) == sum(row.startswith("bfcl/") for row in found) == 16
    for number, line in enumerate(lines):
        tools, _, text = found[f"bfcl/{PROBLEMS}#{number}"]
        exact = line[line.index('"function": ') + 12 : -1]
        assert tools == exact
        for tool in json.loads(exact):
            written = json.dumps(tool, ensure_ascii=False)
            assert written in exact  # so it is the file's bytes that stand in the text
            assert f"\n{written}\n" in text


def test_calls_of_glaive_are_trained_byte_for_byte(found: Texts, glaive: list[dict[str, Any]]) -> None:
    calls = 0
    for number, given in enumerate(glaive):
        tools, extra, text = found[f"glaive/rows.jsonl#{number}"]
        for tool in json.loads(given["tools"] or "[]"):
            assert json.dumps(tool, ensure_ascii=False) in text
            assert "null" not in tools or "null" in given["tools"]
        for turn in given["conversations"]:
            if turn["from"] == "function_call":
                arguments = turn["value"][turn["value"].index('"arguments": ') + 13 : -1]
                assert json.dumps(arguments, ensure_ascii=False) in extra
                assert f'"arguments": {arguments}}}' in text
                calls += 1
    assert calls > 20
