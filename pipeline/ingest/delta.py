"""Delta tables: the Parquet files of one version, read by our own reader."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import orjson

from pipeline.config import Source
from pipeline.errors import InputError, MachineError
from pipeline.ingest.shards import Shard

__all__ = ["delta_shards"]

_REFUSED = {"deletionVectors": "deletion vectors", "columnMapping": "column mapping"}
"""Features that change what a file's rows mean."""


def delta_shards(source: Source, table: str) -> list[Shard]:
    """The files of a table, in the order of their names; the keys of a partition are the same for all rows of a file.

    Raises:
        InputError: there is no such table or version, or it has deletion vectors or renamed columns.
        MachineError: the package deltalake is missing.
    """
    try:
        from deltalake import DeltaTable
        from deltalake.exceptions import DeltaError
    except ImportError:
        raise MachineError(
            "`delta` needs the package deltalake, which is not installed",
            where=f"source {source.name}",
            mend="install it: `pip install 'curate-and-train[delta]'`",
        ) from None
    where = f"source {source.name}: {table}"
    try:
        opened = DeltaTable(table, version=source.version)
    except (DeltaError, OSError, ValueError) as error:
        raise InputError(
            f"the Delta table cannot be opened: {str(error).splitlines()[0]}",
            where=where,
            mend="correct `delta` or `version`; it is the folder that holds `_delta_log`",
        ) from None
    protocol = opened.protocol()
    for feature in protocol.reader_features or []:
        if feature in _REFUSED and _is_used(opened, feature):
            raise InputError(
                f"the table has {_REFUSED[feature]}, so its files alone do not say what its rows are",
                where=where,
                mend="rewrite it without (`REORG TABLE … APPLY (PURGE)`), or export it to Parquet",
            )
    import pyarrow as pa

    actions: list[dict[str, Any]] = pa.table(opened.get_add_actions(flatten=True)).to_pylist()
    root = table.rstrip("/")
    shards = []
    for action in actions:
        keys = tuple(
            (name.removeprefix("partition."), orjson.dumps(value).decode())
            for name, value in action.items()
            if name.startswith("partition.")
        )
        path = unquote(action["path"])
        version = f"{opened.metadata().id}/{action['path']}/{action['size_bytes']}"
        shards.append(Shard(name=path, location=f"{root}/{path}", constants=keys, version=version))
    return sorted(shards, key=lambda shard: shard.name)


def _is_used(table: Any, feature: str) -> bool:
    settings = table.metadata().configuration
    if feature == "deletionVectors":
        return str(settings.get("delta.enableDeletionVectors", "false")).lower() == "true"
    return str(settings.get("delta.columnMapping.mode", "none")) != "none"
