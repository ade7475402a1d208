"""The files that a source's `path` names."""

from __future__ import annotations

import os
from pathlib import Path

from pipeline.config import Source
from pipeline.errors import InputError, did_you_mean
from pipeline.ingest.shards import Shard
from pipeline.ingest.storage import is_remote, matching, reading, root_of

__all__ = ["find_shards"]


def find_shards(source: Source, pattern: str) -> list[Shard]:
    """The files by shard name, in the order of the names.

    A shard's name is its path below the root: the folders of the pattern before its first wildcard.

    Args:
        source: whose they are.
        pattern: a path, a glob or a URL.

    Raises:
        InputError: no file matches.
    """
    root = root_of(pattern)
    with reading(pattern):
        found = matching(pattern)
    if not found:
        if is_remote(pattern):
            raise InputError(
                "no file is there",
                where=f"source {source.name}: {pattern}",
                mend="correct the URL, or your rights to it",
            )
        raise _no_match(source, pattern, root)
    shards = []
    for location in found:
        if is_remote(location):
            name = location.removeprefix(root).lstrip("/").partition("?")[0]
        else:
            name = Path(os.path.relpath(location, root)).as_posix()
        if not _is_text(name):
            raise InputError(
                "a file's name is not UTF-8, and would begin the ids of its rows",
                where=f"source {source.name}: {location!r}",
                mend="rename the file",
            )
        shards.append(Shard(name=name, location=location))
    return sorted(shards, key=lambda shard: shard.name)


def _no_match(source: Source, pattern: str, root: str) -> InputError:
    where = f"source {source.name}: {pattern}"
    if os.path.isdir(pattern):
        return InputError("the path is a folder", where=where, mend=f"name its files: {Path(pattern) / '*.jsonl'}")
    folder = Path(root)
    missing = Path(pattern).name
    while not folder.is_dir():
        missing, folder = folder.name, folder.parent
    here = sorted(entry.name for entry in folder.iterdir())
    near = did_you_mean(missing, here)
    held = f"{folder}{os.sep} holds " + (", ".join(here[:5]) + (", …" if len(here) > 5 else "") if here else "nothing")
    return InputError(
        f"no file matches{near}", where=where, mend=f"correct `path`, relative to the working directory; {held}"
    )


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
