"""`training.jsonl`, `validation.jsonl`, `test.jsonl`: the curated rows, each in the form that its kind is read from.

| row | line |
|---|---|
| pair: a question and its answer | `{"input": …, "output": …}` and the row's other keys |
| chat | `{"messages": […], "tools": […]}` (OpenAI) and the row's other keys |
| text, code | `{"text": …}` and the row's other keys |
| retrieval | `{"question": …, "pos_doc": […], "neg_doc": […]}` and the row's other keys |

A row of kind pair that has more than a question and an answer (a system message, tools, other keys of a message) is
written as a chat: the other form has no place for that. A chat is never written as a pair, whatever its turns, so that
a file of chats has one form.

Another key of the row, or of a message, that is named like one of the line's own (a `text` beside `columns: {text:
body}`) is put under `metadata`: `{"text": …, "metadata": {"text": …}}`; so is then a `metadata` that the row had. A
document of a retrieval row is a string, or with other keys an object with `text`.

What was exact JSON in the source (tools, arguments of calls, other keys) is written with the same bytes, save that a
file of indented JSON had ends of lines between them: here they are one blank each, since a row is a line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from pipeline.ingest.exact_json import Members, join_members, members

__all__ = ["line_of", "write_jsonl"]

_NAMES = {"train": "training", "validation": "validation", "test": "test"}
_ROWS = 2048
_COLUMNS = ["kind", "messages", "tools", "metadata"]
_LINE_END = re.compile(r"[ \t\r\n]*[\r\n][ \t\r\n]*")
"""White space of JSON with an end of line in it; in a string of JSON there is none."""


def write_jsonl(folder: Path, splits: Mapping[str, Sequence[Path]]) -> dict[str, dict[str, Any]]:
    """Write a file a split into `folder`; an empty split has an empty file.

    Args:
        folder: exists.
        splits: the curated parts of each split.

    Returns:
        Rows, by split and by what they were written as.
    """
    counts = {}
    for split, parts in splits.items():
        written = {"rows": 0, "input": 0, "messages": 0, "text": 0, "question": 0}
        with (folder / f"{_NAMES[split]}.jsonl").open("w", encoding="utf-8") as file:
            for row in _rows(parts):
                form, line = line_of(row)
                file.write(line + "\n")
                written["rows"] += 1
                written[form] += 1
        counts[split] = written
    return counts


def line_of(row: Mapping[str, Any]) -> tuple[str, str]:
    """The first key of a curated row's line, which names its form, and the line."""
    messages = row["messages"]
    roles = [message["role"] for message in messages]
    own: dict[str, str]
    reserved: Set[str] = frozenset()
    if row["kind"] in ("text", "code"):
        own = {"text": _text("\n\n".join(message["content"] for message in messages))}
    elif row["kind"] == "retrieval":
        own = {
            "question": _text(next((m["content"] for m in messages if m["role"] == "query"), "")),
            "pos_doc": _list(_document(m) for m in messages if m["role"] == "positive"),
            "neg_doc": _list(_document(m) for m in messages if m["role"] == "negative"),
        }
        reserved = {"query"}  # read before `question`
    elif row["kind"] == "pair" and roles == ["user", "assistant"] and not row["tools"] and not _has_extra(messages):
        own = {"input": _text(messages[0]["content"]), "output": _text(messages[1]["content"])}
    else:
        own = {"messages": _list(_message(message) for message in messages)}
        reserved = {"tools"}  # of a row without: another thing of that name would be taken for them
        if row["tools"]:
            own["tools"] = row["tools"]
    line = _object(own, members(row["metadata"]) if row["metadata"] else {}, reserved)
    return next(iter(own)), _LINE_END.sub(" ", line) if "\n" in line or "\r" in line else line


def _object(own: Mapping[str, str], others: Members, reserved: Set[str] = frozenset()) -> str:
    """Exact JSON of a line's own keys and others; of these, those with a name of the former are under `metadata`."""
    taken = (reserved | own.keys()) & others.keys()
    inner = {key: one for key, one in others.items() if key in taken or (taken and key == "metadata")}
    cut = {key: (_text(key), value) for key, value in own.items()}
    cut |= {key: one for key, one in others.items() if key not in inner}
    if inner:
        cut["metadata"] = (_text("metadata"), join_members(inner, without=set()))
    return join_members(cut, without=set())


def _has_extra(messages: Sequence[Mapping[str, Any]]) -> bool:
    return any(message["extra"] for message in messages)


def _message(message: Mapping[str, Any]) -> str:
    """The message as it came: its `content` is null where it was."""
    others = members(message["extra"]) if message["extra"] else {}
    own = {key: _text(message[key]) for key in ("role", "content")}
    if not message["content"] and others.get("content", ("", ""))[1] == "null":
        own["content"] = others.pop("content")[1]
    return _object(own, others)


def _document(message: Mapping[str, Any]) -> str:
    """Its text, or with the other keys that it had."""
    text = _text(message["content"])
    return _object({"text": text}, members(message["extra"])) if message["extra"] else text


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _list(values: Iterator[str]) -> str:
    return f"[{','.join(values)}]"


def _rows(parts: Sequence[Path]) -> Iterator[dict[str, Any]]:
    for part in parts:
        with pq.ParquetFile(part) as file:
            for batch in file.iter_batches(batch_size=_ROWS, columns=_COLUMNS):
                yield from batch.to_pylist()
