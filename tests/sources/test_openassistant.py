"""The flat table of messages gives the very rows that the trees give."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.config import Source
from pipeline.errors import InputError
from tests.ingest.conftest import ingest, rejected_of, rows_of
from tests.text.columns import shared


def flat(message: dict[str, Any], tree: str) -> list[dict[str, Any]]:
    """The messages of a tree, as the hub's table has them: breadth does not matter, so the last come first."""
    own = {key: message.get(key) for key in ("message_id", "parent_id", "text", "role", "rank", "deleted", "lang")}
    below = [row for reply in reversed(message["replies"]) for row in flat(reply, tree)]
    return [*below, {**own, "message_tree_id": tree}]


def source(folder: Path, **keys: Any) -> Source:
    return Source.model_validate({"name": "s", "kind": "chat", "format": "openassistant", **keys})


@pytest.mark.parametrize("tree", ["best", "all"])
@pytest.mark.parametrize("suffix", ["parquet", "jsonl.gz"])
def test_a_table_is_read_as_its_trees_are(tmp_path: Path, tree: str, suffix: str) -> None:
    raw = gzip.decompress((shared("chat-oasst") / "en_100_tree.jsonl.gz").read_bytes()).decode().splitlines()[:40]
    (tmp_path / "trees.jsonl").write_text("\n".join(raw))
    given = [json.loads(line) for line in raw]
    table = [row for one in given for row in reversed(flat(one["prompt"], one["message_tree_id"]))]
    path = tmp_path / f"messages.{suffix}"
    if suffix == "parquet":
        pq.write_table(pa.Table.from_pylist(table), path, row_group_size=50)
    else:
        path.write_bytes(gzip.compress("\n".join(map(json.dumps, table)).encode()))
    wanted = rows_of(ingest(source(tmp_path, path=str(tmp_path / "trees.jsonl"), tree=tree)))
    parts = ingest(
        source(tmp_path, target="sources.openassistant:trees", args={"path": str(path)}, tree=tree),
        max_row_bytes=1 << 24,
    )
    assert rejected_of(parts) == []

    def said(rows: list[dict[str, Any]]) -> list[list[tuple[str, str]]]:
        return [[(message["role"], message["content"]) for message in row["messages"]] for row in rows]

    assert said(rows_of(parts)) == said(wanted)
    assert len(wanted) >= 40


def test_a_message_without_its_parent_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "messages.jsonl"
    rows = [{"message_id": "a", "parent_id": "gone", "text": "x", "role": "assistant"}]
    path.write_text("\n".join(map(json.dumps, rows)))
    keys: dict[str, Any] = {"target": "sources.openassistant:trees", "args": {"path": str(path)}}
    (entry,) = rejected_of(ingest(source(tmp_path, **keys)))
    assert entry["rule"] == "wrong_type"
    path.write_text("\n".join(map(json.dumps, rows * 2)))
    with pytest.raises(InputError, match="two rows have one `message_id`"):
        ingest(source(tmp_path, **keys))
    with pytest.raises(InputError, match="neither by `path` nor by `dataset`"):
        ingest(source(tmp_path, target="sources.openassistant:trees"))
