"""The tables of formats and files in `docs/sources.md`, made by reading the examples; `python -m tests.format_tables`.

Every example row is given to the reader itself, and what stands in the table is what came out.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from pipeline.config import Source
from pipeline.ingest import plan_parts, read_blocks, survey
from pipeline.ingest.containers import container_of
from pipeline.ingest.formats import FORMATS

__all__ = ["EXAMPLES", "FORMATS_END", "FORMATS_START", "PAGE", "format_tables"]

FORMATS_START = "<!-- formats: written by `python -m tests.format_tables` -->"
FORMATS_END = "<!-- end of formats -->"
PAGE = Path(__file__).resolve().parents[1] / "docs" / "sources.md"


class Example(NamedTuple):
    """A row as it stands in a file, and the source that reads it."""

    format: str
    kind: str
    row: str
    keys: Mapping[str, Any] = MappingProxyType({})
    file: str = "rows.jsonl"


EXAMPLES = (
    Example("text", "text", '{"text": "Rome fell.", "year": 476}'),
    Example("code", "code", "print(1)", MappingProxyType({}), "a.py"),
    Example("completion", "pair", '{"input": "2+2?", "output": "4", "level": 1}'),
    Example("alpaca", "pair", '{"instruction": "Add.", "input": "2, 2", "output": "4"}'),
    Example("alpaca", "chat", '{"instruction": "3+3?", "output": "6", "system": "Count.", "history": [["2+2?", "4"]]}'),
    Example("columns", "pair", '{"c": "Rome fell.", "q": "What fell?", "a": "Rome"}',
            {"columns": {"context": "c", "question": "q", "answer": "a"}}),
    Example("columns", "chat", '{"c": "Rome fell.", "q": "What fell?", "a": "Rome"}',
            {"columns": {"context": "c", "question": "q", "answer": "a"}}),
    Example("hellaswag", "pair", '{"ctx": "A man", "endings": ["eats.", "sleeps."], "label": 1}'),
    Example("squad", "pair", '{"context": "Rome fell.", "question": "What fell?", "answers": {"text": ["Rome"]}}'),
    Example("squad", "chat", '{"context": "Rome fell.", "question": "What fell?", "answers": {"text": ["Rome"]}}'),
    Example("chat", "chat", '{"messages": [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "4", '
            '"reasoning_content": "easy"}]}', {"system_prompt": "Count."}),
    Example("chat", "chat", '{"messages": [{"role": "user", "content": "Oslo?"}, {"role": '
            '"assistant", "content": null, "tool_calls": [{"id": "c1", "type": "function", "function": '
            '{"name": "rain", "arguments": "{}"}}]}, '
            '{"role": "tool", "tool_call_id": "c1", "content": "yes"}], "tools": [{"type": "function", "function": '
            '{"name": "rain"}}]}'),
    Example("chat", "chat", '{"question": [[{"role": "user", "content": [{"type": "text", "text": "Oslo?"}]}]], '
            '"function": [{"name": "rain", "parameters": {}}]}',
            {"columns": {"messages": "question", "tools": "function"}}),
    Example("sharegpt", "chat", '{"turns": [{"speaker": "USER", "utterance": "Oslo?", "frames": []}, '
            '{"speaker": "SYSTEM", "utterance": "It rains."}], "dialogue_id": "1"}',
            {"columns": {"conversations": "turns", "from": "speaker", "value": "utterance"},
             "roles": {"USER": "user", "SYSTEM": "assistant"}}),
    Example("sharegpt", "chat", '{"conversations": [{"from": "human", "value": "Oslo?"}, {"from": "function_call", '
            '"value": "{\\"name\\": \\"rain\\", \\"arguments\\": {\\"at\\": 1.0}}"}, {"from": "observation", "value": '
            '"yes"}, {"from": "gpt", "value": "It rains."}], "tools": "[{\\"name\\": \\"rain\\"}]"}'),
    Example("openassistant", "chat", '{"prompt": {"role": "prompter", "text": "2+2?", "replies": [{"role": '
            '"assistant", "text": "5", "rank": 1, "replies": []}, {"role": "assistant", "text": "4", '
            '"rank": 0, "replies": []}]}}'),
    Example("retrieval", "retrieval", '{"query": "What fell?", "pos_doc": "Rome fell.", "neg_doc": ["Oslo rose."]}'),
)  # fmt: skip

_FILES = {
    "jsonl": ("rows.jsonl", "JSON Lines", "a line", "after lines; `.zst` at frames"),
    "json": (
        "rows.json",
        "an array, also under the key `field`; or values one behind another",
        "a value",
        "after values",
    ),
    "csv": ("rows.csv", "also `.tsv`; the first record names the columns", "a record, of strings", "after records"),
    "parquet": ("rows.parquet", "", "a row", "at row groups"),
    "document": ("a.txt", "plain text; any file of format `code`", "the file", "no"),
    "text_lines": ("a.txt", "with `sample_by: line`", "a line", "after lines; `.zst` at frames"),
    "zip": ("a.zip", "text or code", "a file in it", "at its files"),
    "tar": ("a.tar", "text or code; also `.tgz` …", "a file in it", "no"),
}


def format_tables() -> str:
    """A line an example; then a line a container."""
    lines = ["| format | kind | a row | becomes |", "|---|---|---|---|"]
    for example in EXAMPLES:
        keys = "".join(f"<br>`{key}: {json.dumps(value)}`" for key, value in example.keys.items())
        row = f"`{example.row}`" if example.file == "rows.jsonl" else f"the file `{example.file}`: `{example.row}`"
        lines.append(f"| `{example.format}`{keys} | {example.kind} | {_escaped(row)} | {_escaped(_becomes(example))} |")
    for name, files in (
        ("megatron", "`data/web.bin` and `data/web.idx`"),
        ("nanogpt", "a shard `data/web_000000.bin`"),
    ):
        row = f"{files}: documents of token ids"
        lines.append(f"| `{name}` | none | {row} | [straight to bins](pack.md#files-of-tokens), not curated |")
    lines += ["", "| file | what | a row is | cut for several workers |", "|---|---|---|---|"]
    for container, (name, what, row, cut) in _FILES.items():
        source = Source(
            name="s", kind="text", format="text", path=name, sample_by="line" if "line" in container else "document"
        )
        assert container_of(source, name) == container
        lines.append(f"| `{name[name.index('.') :]}` | {what} | {row} | {cut} |")
    return "\n".join(lines)


def _becomes(example: Example) -> str:
    """What the reader makes of the row."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / example.file
        path.write_text(example.row, encoding="utf-8")
        source = Source.model_validate(
            {"name": "s", "kind": example.kind, "format": example.format, "path": str(path), **example.keys}
        )
        assert example.format in FORMATS
        (part,) = plan_parts([survey(source, part_bytes=1 << 20)], 1 << 20)
        (row,) = read_blocks(part, max_row_bytes=1 << 20).rows.to_pylist()
    said = [
        (f"{turn['role']} `{turn['content']}`" if turn["content"] else f"{turn['role']}, nothing")
        + (f" + `{turn['extra']}`" if turn["extra"] else "")
        for turn in row["messages"]
    ]
    kept = [f"{key} `{row[key]}`" for key in ("tools", "metadata") if row[key]]
    return "<br>".join([*said, *kept])


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", "\\n")


if __name__ == "__main__":
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(FORMATS_START)
    after = rest.partition(FORMATS_END)[2]
    PAGE.write_text(f"{before}{FORMATS_START}\n\n{format_tables()}\n\n{FORMATS_END}{after}", encoding="utf-8")
