"""Where the files of a source come from: a path, a dataset, a Delta table, or a list of any of these."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson

from pipeline.config import Source
from pipeline.config.used_keys import unused
from pipeline.errors import InputError
from pipeline.ingest.delta import delta_shards
from pipeline.ingest.files import find_shards
from pipeline.ingest.hub import dataset_shards
from pipeline.ingest.shards import Shard
from pipeline.ingest.storage import is_remote

__all__ = ["Origin", "Slice", "find_origins"]

_SPLIT = re.compile(r"([\w.-]+)(?:\[(?:(-?\d+)(%?))?:(?:(-?\d+)(%?))?\])?")
_ON_HUB = re.compile(r"https?://[^/]+/datasets/([\w.-]+/[\w.-]+)(?:/tree/([^/]+))?/?")
_NAME = re.compile(r"[\w.-]+/[\w.-]+")
_KEYS = {"url", "path", "dataset", "name", "config", "split", "revision"}


@dataclass(frozen=True)
class Slice:
    """Some rows of a split, as in `train[10%:2000]`."""

    begin: tuple[int, bool] | None
    """A number, and whether it is per cent."""
    end: tuple[int, bool] | None

    def rows(self, total: int) -> tuple[int, int]:
        """The first row and the one past the last, of so many; negative numbers count from the end."""
        begin, end = _place(self.begin, 0, total), _place(self.end, total, total)
        return begin, max(begin, end)


@dataclass(frozen=True)
class Origin:
    """Files whose rows follow each other."""

    shards: list[Shard]
    slice: Slice | None = None
    """The rows of them that are wanted; all without."""


def find_origins(source: Source) -> list[Origin]:
    """Find the files of a source that is no target.

    Raises:
        InputError: there are none, or what names them is wrong.
        MachineError: a package that is needed is missing.
    """
    if source.path is not None:
        return [Origin(find_shards(source, source.path))]
    if source.delta is not None:
        return [Origin(delta_shards(source, source.delta))]
    if source.dataset is not None:
        return [_dataset(source, source.dataset)]
    return list(_listed(source, Path(str(source.urls))))


def _dataset(source: Source, dataset: str) -> Origin:
    match = _SPLIT.fullmatch(source.split)
    if match is None:
        raise InputError(
            f"{source.split!r} is no split",
            where=f"source {source.name}, split",
            mend="as in train, or train[10%:2000]",
        )
    split, begin, begin_percent, end, end_percent = match.groups()
    part = None
    if "[" in source.split:
        part = Slice(
            (int(begin), bool(begin_percent)) if begin is not None else None,
            (int(end), bool(end_percent)) if end is not None else None,
        )
    return Origin(dataset_shards(source, dataset, split), part)


def _listed(source: Source, file: Path) -> Iterator[Origin]:
    """What each line of a list names; its shards' names begin with the line's own."""
    where = f"source {source.name}, urls: {file}"
    if not file.is_file():
        raise InputError("there is no such list", where=where, mend="correct `urls`, relative to the working directory")
    seen: dict[str, int] = {}
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        entry = _entry(line.strip(), f"{where}:{number}")
        named = str(entry.get("dataset") or entry.get("name") or entry.get("url") or entry.get("path"))
        origin_of = "dataset" if "dataset" in entry else "path"
        given = [key for key in ("config", "split", "revision") if getattr(source, key) != _default(key)]
        if why := unused([*entry, *given], {"origin": origin_of}):
            mend = "take the key out, or give it on the lines that name datasets"
            raise InputError(why, where=f"{where}:{number}", mend=mend)
        one = source.model_copy(update={key: entry[key] for key in ("config", "split", "revision") if key in entry})
        origin = _dataset(one, entry["dataset"]) if "dataset" in entry else Origin(find_shards(one, named))
        prefix = re.sub(r"^\w+://", "", named).strip("/") if "dataset" in entry else f"{number}"
        if seen.setdefault(prefix, number) != number:
            prefix = f"{prefix}.{number}"
        yield replace(origin, shards=[replace(shard, name=f"{prefix}/{shard.name}") for shard in origin.shards])
    if not seen:
        raise InputError("the list is empty", where=where, mend="write a URL or the name of a dataset on each line")


def _default(key: str) -> Any:
    return Source.model_fields[key].default


def _entry(line: str, where: str) -> dict[str, Any]:
    """A line as keys: a JSON object, a JSON string, or the bare words."""
    try:
        value: Any = orjson.loads(line)
    except orjson.JSONDecodeError:
        value = line
    entry = {"url": value} if isinstance(value, str) else value
    if (
        not isinstance(entry, dict)
        or not set(entry) <= _KEYS
        or not all(isinstance(one, str) for one in entry.values())
    ):
        raise InputError(
            "a line names nothing that can be read",
            where=where,
            mend=f"write a string, or {{{', '.join(sorted(_KEYS))}}}",
        )
    named = entry.get("dataset") or entry.get("name") or entry.get("url") or entry.get("path")
    if named is None:
        raise InputError(
            "a line names neither url nor dataset", where=where, mend='as in {"dataset": "organisation/name"}'
        )
    if on_hub := _ON_HUB.fullmatch(named):
        revision = {"revision": on_hub.group(2)} if on_hub.group(2) else {}
        return {**entry, **revision, "dataset": on_hub.group(1)}
    if "dataset" in entry or "name" in entry:
        return {**entry, "dataset": named}
    if _NAME.fullmatch(named) and not is_remote(named) and not Path(named).exists():
        return {**entry, "dataset": named}
    return entry


def _place(bound: tuple[int, bool] | None, default: int, total: int) -> int:
    if bound is None:
        return default
    number, percent = bound
    place = round(total * number / 100) if percent else number
    return min(max(place + total if number < 0 else place, 0), total)
