"""Tools and calls as they are published, byte for byte, through ingest and a Parquet file."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.ingest.conftest import MakeSource, ingest, rejected_of
from tests.text.columns import shared


def stored(parts: list[Any], folder: Path) -> list[dict[str, Any]]:
    """The rows as they come back from disk."""
    pq.write_table(pa.concat_tables([part.rows for part in parts]), folder / "rows.parquet")
    return list(pq.read_table(folder / "rows.parquet").to_pylist())


def value_of(text: str, key: str) -> str:
    """The exact text of a value that is the last of an object, found without the code under test."""
    return text[text.index(f'"{key}": ') + len(key) + 4 :].rstrip()[:-1]


def test_function_calling_problems_keep_their_bytes(make_source: MakeSource, tmp_path: Path) -> None:
    lines, tools, calls = [], [], []
    for file in sorted(shared("tools-bfcl").glob("BFCL_v4_[slmp]*.json*")):
        if "multi_turn" in file.name:
            continue
        raw = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        for line in raw.decode().splitlines():
            row = json.loads(line)
            functions = value_of(line, "function")
            assert json.loads(functions) == row["function"]
            arguments = json.dumps(json.dumps(row["function"][0]["parameters"]))
            call = f'{{"id":"c","type":"function","function":{{"name":"f","arguments":{arguments}}}}}'
            said = json.dumps([turn for turn in row["question"][0] if turn["role"] == "user"])[:-1]
            lines.append(f'{{"messages":{said},{{"role":"assistant","tool_calls":[{call}]}}],"tools":{functions}}}')
            tools.append(functions)
            calls.append(f'{{"tool_calls":[{call}]}}')
    parts = ingest(make_source("\n".join(lines).encode(), kind="chat", format="chat"), max_row_bytes=1 << 20)
    assert rejected_of(parts) == []
    rows = stored(parts, tmp_path)
    assert len(rows) > 1000
    assert [row["tools"] for row in rows] == tools
    assert [row["messages"][-1]["extra"] for row in rows] == calls


def test_calls_of_glaive_keep_their_bytes(make_source: MakeSource, tmp_path: Path) -> None:
    file = shared("chat-llamafactory-demos") / "glaive_toolcall_en_demo.json.gz"
    raw = json.loads(gzip.decompress(file.read_bytes()))
    data = "\n".join(map(json.dumps, raw)).encode()
    parts = ingest(make_source(data, kind="chat", format="sharegpt"), max_row_bytes=1 << 20)
    assert rejected_of(parts) == []
    rows = stored(parts, tmp_path)
    assert len(rows) == len(raw) == 300
    counted = 0
    for row, given in zip(rows, raw, strict=True):
        bare = given["tools"][1:-1]
        if bare.strip() and len(json.loads(given["tools"])) == 1:
            assert row["tools"] == f'[{{"type":"function","function":{bare}}}]'
        answered = []
        for turn, message in zip(given["conversations"], row["messages"], strict=True):
            extra = json.loads(message["extra"] or "{}")
            if turn["from"] == "function_call":
                (call,) = extra["tool_calls"]
                assert call["function"]["arguments"] == value_of(turn["value"], "arguments")
                answered.append(call["id"])
                counted += 1
            elif turn["from"] == "observation":
                assert extra == {"tool_call_id": answered[-1]}
                assert message["content"] == turn["value"]
            else:
                assert (message["content"], message["extra"]) == (turn["value"], None)
    assert counted > 100


def test_function_calling_problems_are_read_as_published(make_source: MakeSource, tmp_path: Path) -> None:
    columns = {"messages": "question", "tools": "function"}
    for file in sorted(shared("tools-bfcl").glob("BFCL_v4_*.json*")):
        raw = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        parts = ingest(make_source(raw, kind="chat", format="chat", columns=columns), max_row_bytes=1 << 20)
        assert rejected_of(parts) == []
        given = raw.decode().splitlines()
        for row, line in zip(stored(parts, tmp_path), given, strict=True):
            value = json.loads(line)
            assert row["tools"] == (value_of(line, "function") if "function" in value else None)
            said = [(turn["role"], turn["content"]) for turns in value["question"] for turn in turns]
            assert [(message["role"], message["content"]) for message in row["messages"]] == said


def test_schema_guided_dialogues_are_read_as_published(make_source: MakeSource) -> None:
    raw = gzip.decompress((shared("chat-sgd-train") / "dialogues_001.json.gz").read_bytes())
    names = {"conversations": "turns", "from": "speaker", "value": "utterance"}
    read = make_source(raw, file="rows.json", kind="chat", format="sharegpt", columns=names,
                       roles={"USER": "user", "SYSTEM": "assistant"})  # fmt: skip
    parts = ingest(read, max_row_bytes=1 << 20)
    assert rejected_of(parts) == []
    rows = [row for part in parts for row in part.rows.to_pylist()]
    assert len(rows) == 128
    for row, given in zip(rows, json.loads(raw), strict=True):
        assert [message["content"] for message in row["messages"]] == [turn["utterance"] for turn in given["turns"]]
        assert {message["role"] for message in row["messages"]} == {"user", "assistant"}
        assert [json.loads(message["extra"])["frames"] for message in row["messages"]] == [
            turn["frames"] for turn in given["turns"]
        ]
