"""Delta tables: the Parquet files of one version, read by our own reader."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import orjson

from pipeline.config import Source
from pipeline.errors import InputError, MachineError
from pipeline.ingest.shards import Shard

__all__ = ["delta_shards"]


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
    import pyarrow as pa

    if found := _beside_the_files(opened, where):
        raise InputError(
            f"the table has {found}, so its files alone do not say what its rows are",
            where=where,
            mend="rewrite it without (`REORG TABLE … APPLY (PURGE)`), or export it to Parquet",
        )
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


def _beside_the_files(table: Any, where: str) -> str | None:
    """What changes the meaning of the files' rows, if anything.

    The table's properties do not tell: vectors stay when `delta.enableDeletionVectors` is taken back, and old protocols
    have no list of features.
    """
    if str(table.metadata().configuration.get("delta.columnMapping.mode", "none")).lower() != "none":
        return "column mapping"
    import pyarrow as pa
    from deltalake.exceptions import DeltaError

    try:
        return "deletion vectors" if pa.table(table.deletion_vectors()).num_rows else None
    except DeltaError as error:
        raise InputError(
            f"the table has deletion vectors that cannot be read: {str(error).splitlines()[0]}",
            where=where,
            mend="repair the table, then rewrite it without (`REORG TABLE … APPLY (PURGE)`), or export it to Parquet",
        ) from None
