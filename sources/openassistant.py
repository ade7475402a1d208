"""OpenAssistant's flat table of messages, a row a message, as the trees that the format `openassistant` reads.

The hub has its sets as such tables (`OpenAssistant/oasst1`: `message_id`, `parent_id`, `text`, `role`, `rank`, …).
A tree's messages may stand anywhere in them, so all are held in memory at once: about 2 KiB a message.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pipeline.config import Source
from pipeline.errors import InputError
from pipeline.ingest import TargetShard, sharded, survey
from pipeline.ingest.blocks import Survey
from pipeline.ingest.containers import CONTAINERS
from pipeline.ingest.exact_json import parse
from pipeline.ingest.rejected import Rejected

__all__ = ["trees"]

_BLOCK = 64 << 20
_LONGEST = 1 << 26
"""Bytes of a message; `ingest.max_row_bytes` bounds what comes out."""


def _table(path: str, dataset: str, split: str) -> Survey:
    if bool(path) == bool(dataset):
        raise InputError(
            "the table is named neither by `path` nor by `dataset`"
            if not path
            else "`path` and `dataset` are two tables",
            where="args",
            mend="as in {path: messages.parquet}, or {dataset: OpenAssistant/oasst1, split: validation}",
        )
    origin = {"path": path} if path else {"dataset": dataset, "split": split}
    return survey(
        Source.model_validate({"name": "messages", "kind": "text", "format": "text", **origin}), part_bytes=_BLOCK
    )


def _shards(*, path: str = "", dataset: str = "", split: str = "train") -> list[TargetShard]:
    table = _table(path, dataset, split)
    return [TargetShard(name="trees", bytes=sum(block.bytes for block in table.blocks), fingerprint=table.fingerprint)]


@sharded(_shards)
def trees(*, shard: str, path: str = "", dataset: str = "", split: str = "train") -> Iterator[dict[str, Any]]:
    """Yield a tree for each message without a parent, in the order of the table; replies keep that order too.

    Args:
        shard: there is one.
        path: a file or a glob: Parquet, CSV or JSON Lines, packed or not; or a URL.
        dataset: or a name on the hub, or a folder laid out like a dataset.
        split: of the dataset.

    Yields:
        `{"message_tree_id": …, "prompt": {…, "replies": […]}}`. A message whose parent is not in the table is
        yielded as a tree without a prompt, so that it is rejected and counted.

    Raises:
        InputError: a row is no message, or two have one id.
    """
    messages: dict[str, dict[str, Any]] = {}
    for block in _table(path, dataset, split).blocks:
        for lines in CONTAINERS[block.container].read(block, max_row_bytes=_LONGEST):
            for index, number in enumerate(lines.numbers.tolist()):
                where = f"{block.place}:{number + 1}"
                try:
                    message = parse(lines.text(index)).values
                except Rejected as why:
                    raise InputError(f"a row is no message: {why.reason}", where=where, mend="correct it") from None
                name = message.get("message_id")
                if not isinstance(name, str) or name in messages:
                    raise InputError(
                        "a row has no `message_id`" if not isinstance(name, str) else "two rows have one `message_id`",
                        where=where,
                        mend="give the table of messages as OpenAssistant publishes it",
                    )
                messages[name] = {**message, "replies": []}
    for message in messages.values():
        if (parent := messages.get(message.get("parent_id") or "")) is not None:
            parent["replies"].append(message)
    for message in messages.values():
        above = message.get("parent_id") or None
        if above is None or above not in messages:
            tree = {"message_tree_id": message.get("message_tree_id"), "prompt": message if above is None else None}
            yield tree
