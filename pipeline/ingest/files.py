"""The files of a source: found, named, fingerprinted and cut into blocks in one pass."""

from __future__ import annotations

import glob
import hashlib
import os
from pathlib import Path

from pipeline.config import Source
from pipeline.errors import PASSING, InputError, did_you_mean
from pipeline.ingest.blocks import Block
from pipeline.ingest.lines import CHUNK

__all__ = ["find_shards", "survey_file"]


def find_shards(source: Source) -> dict[str, Path]:
    """The source's files by shard name, in the order of the names.

    A shard's name is its path below the source's root: the folders of `path` before its first wildcard.

    Raises:
        InputError: no file matches.
    """
    pattern = str(source.path)
    root = _root(pattern)
    found = sorted(path for path in set(glob.glob(pattern, recursive=True)) if os.path.isfile(path))
    if not found:
        raise _no_match(source, pattern, root)
    shards = {Path(os.path.relpath(path, root)).as_posix(): Path(path) for path in found}
    for name, path in shards.items():
        if not _is_text(name):
            raise InputError(
                "a file's name is not UTF-8, and would begin the ids of its rows",
                where=f"source {source.name}: {str(path)!r}",
                mend="rename the file",
            )
    return dict(sorted(shards.items()))


def survey_file(source: Source, shard: str, path: Path, *, part_bytes: int) -> tuple[list[Block], str]:
    """Read a file once: its blocks of about `part_bytes`, cut after a newline, and its content's fingerprint.

    A `.gz` file is one block, since nobody can begin to unpack it in the middle.

    Raises:
        InputError: the file cannot be read.
    """
    digest = hashlib.blake2b(digest_size=16)
    cuts = [0]  # where blocks begin
    rows = [0]  # the number of the line that begins there
    packed = path.name.endswith(".gz")
    size = newlines = 0
    tail = b""
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(CHUNK):
                digest.update(chunk)
                tail = (tail + chunk[-4:])[-4:]
                if not packed:
                    newlines = _cut(chunk, size, newlines, part_bytes, cuts, rows)
                size += len(chunk)
    except OSError as error:
        if error.errno in PASSING:
            raise
        raise InputError(
            f"cannot be read: {error.strerror or error}", where=str(path), mend="check the file and its rights"
        ) from None
    if packed:
        # A gzip file ends with its unpacked size modulo 4 GiB (RFC 1952), right for planning in nearly every file.
        unpacked = max(size, int.from_bytes(tail, "little")) if size else 0
        return [_block(source, shard, path, 0, -1, 0, unpacked)], digest.hexdigest()
    ends = [*cuts[1:], size]
    last_rows = [*rows[1:], newlines + (tail[-1:] not in (b"", b"\n"))]
    blocks = [
        _block(source, shard, path, begin, end - begin, row, end - begin, last - row)
        for begin, end, row, last in zip(cuts, ends, rows, last_rows, strict=True)
        if end > begin
    ]
    return blocks, digest.hexdigest()


def _cut(chunk: bytes, base: int, newlines: int, part_bytes: int, cuts: list[int], rows: list[int]) -> int:
    """Add the cuts that fall into a chunk; return how many newlines the file has up to the chunk's end."""
    counted = 0
    while True:
        wanted = cuts[-1] + part_bytes - 1 - base
        if wanted >= len(chunk):
            break
        newline = chunk.find(b"\n", max(wanted, 0))
        if newline < 0:
            break
        newlines += chunk.count(b"\n", counted, newline + 1)
        counted = newline + 1
        cuts.append(base + counted)
        rows.append(newlines)
    return newlines + chunk.count(b"\n", counted)


def _block(
    source: Source, shard: str, path: Path, offset: int, length: int, row: int, size: int, lines: int | None = None
) -> Block:
    return Block(
        source=source,
        shard=shard,
        location=str(path),
        offset=offset,
        length=length,
        first_row=row,
        bytes=size,
        lines=lines,
    )


def _root(pattern: str) -> str:
    """The folders of a glob before its first wildcard; of a plain path its folder."""
    parts = Path(pattern).parts
    fixed = next((number for number, part in enumerate(parts) if glob.has_magic(part)), len(parts) - 1)
    return str(Path(*parts[:fixed]))


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
