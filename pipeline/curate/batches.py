"""The ledger of a series of retrainings: which shards which batch reads, a file a batch, written once.

SERIES/batches/0001.json    {"format": 2, "shards": {source: {shard: fingerprint}}, "champion": model folder or null}
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from pipeline.errors import InputError

__all__ = ["BATCHES", "FORMAT", "Shards", "batch_files", "batch_shards", "read_batch"]

BATCHES = "batches"
FORMAT = 2
"""Fingerprints are BLAKE3; those of format 1 were BLAKE2b."""

Shards = dict[str, dict[str, str]]
"""Source → shard → fingerprint of its content."""


def batch_files(series: Path) -> list[Path]:
    """The batches of a series, the oldest first."""
    return sorted(path for path in (series / BATCHES).glob("*.json") if re.fullmatch(r"\d{4,}", path.stem))


def batch_shards(path: str | Path) -> Shards:
    """The shards of a batch."""
    shards: Shards = read_batch(path)["shards"]
    return shards


def read_batch(path: str | Path) -> dict[str, Any]:
    """Read a batch's file.

    Raises:
        InputError: it is gone or damaged, or an earlier version wrote it.
    """
    try:
        value: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
        if value["format"] == 1:
            raise InputError(
                "an earlier version began this series: it told shards by other fingerprints",
                where=str(path),
                mend="begin a new series (`run:`); the index of duplicates can be named again (curate.dedup.index)",
            )
        whole = value["format"] == FORMAT and all(
            isinstance(fingerprint, str) for shards in value["shards"].values() for fingerprint in shards.values()
        )
        if not whole or not isinstance(value["champion"], str | None):
            raise ValueError(f"its format is not {FORMAT}")
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(
            f"the list of a batch's shards cannot be read: {type(error).__name__}: {error}",
            where=str(path),
            mend="restore it from a copy: it says which shards were trained on",
        ) from None
    return value
