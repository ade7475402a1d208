"""JSON Lines: a row a line, cut after lines."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pipeline import fingerprint
from pipeline.config import Source
from pipeline.ingest.blocks import Block
from pipeline.ingest.containers.zstd_frames import survey_frames
from pipeline.ingest.lines import Lines, lines_of
from pipeline.ingest.packed import check_plain, codec_of
from pipeline.ingest.shards import Shard
from pipeline.ingest.storage import open_file, reading
from pipeline.ingest.streams import CHUNK, content_of, unpacked_size

__all__ = ["read_jsonl", "survey_jsonl"]


def survey_jsonl(source: Source, shard: Shard, *, part_bytes: int) -> tuple[list[Block], str]:
    """Read a file once: its blocks of about `part_bytes`, cut after a newline, and its content's fingerprint.

    A zstd file of several frames is cut near their ends. Another packed file is one block, since nobody can begin to
    unpack it in the middle.

    Raises:
        InputError: the file cannot be read.
    """
    codec = codec_of(shard.location)
    if codec is not None:
        content, size, tail = content_of(shard.location)
        blocks = survey_frames(source, shard, size, part_bytes) if codec == "zstd" else []
        whole = shard.block(source, "jsonl", bytes=unpacked_size(shard.location, size, tail))
        return blocks or [whole], content
    digest = fingerprint.Content()
    cuts = [0]  # where blocks begin
    rows = [0]  # the number of the line that begins there
    size = newlines = 0
    last = b""
    with reading(shard.location), open_file(shard.location) as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
            if not size:
                check_plain(chunk, shard.location)
            newlines = _cut(chunk, size, newlines, part_bytes, cuts, rows)
            size, last = size + len(chunk), chunk[-1:]
    ends = [*cuts[1:], size]
    last_rows = [*rows[1:], newlines + (last not in (b"", b"\n"))]
    blocks = [
        shard.block(
            source, "jsonl", offset=begin, length=end - begin, first_row=row, bytes=end - begin, lines=stop - row
        )
        for begin, end, row, stop in zip(cuts, ends, rows, last_rows, strict=True)
        if end > begin
    ]
    return blocks, digest.hexdigest()


def read_jsonl(block: Block, *, max_row_bytes: int) -> Iterator[Lines]:
    """The lines of a block."""
    return lines_of(block, max_row_bytes=max_row_bytes)


def _cut(chunk: bytes, base: int, newlines: int, part_bytes: int, cuts: list[int], rows: list[int]) -> int:
    """Add the cuts that fall into a chunk; return how many newlines the file has up to the chunk's end."""
    is_end = np.frombuffer(chunk, np.uint8) == ord("\n")  # counted six times as fast as by `bytes.count`
    counted = 0
    while True:
        wanted = cuts[-1] + part_bytes - 1 - base
        if wanted >= len(chunk):
            break
        newline = chunk.find(b"\n", max(wanted, 0))
        if newline < 0:
            break
        newlines += int(np.count_nonzero(is_end[counted : newline + 1]))
        counted = newline + 1
        cuts.append(base + counted)
        rows.append(newlines)
    return newlines + int(np.count_nonzero(is_end[counted:]))
