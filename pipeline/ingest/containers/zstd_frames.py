"""A zstd file of several frames (RFC 8878), as parallel packers write: each can be unpacked by itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, cast

from pipeline.config import Source
from pipeline.ingest.blocks import Block
from pipeline.ingest.packed import unpacked, unpacking
from pipeline.ingest.shards import Shard
from pipeline.ingest.storage import open_file, reading
from pipeline.ingest.streams import CHUNK

__all__ = ["frames", "survey_frames"]

_MAGIC = 0xFD2FB528
_SKIPPABLE = 0x184D2A50


def survey_frames(source: Source, shard: Shard, size: int, part_bytes: int) -> list[Block]:
    """Blocks of about `part_bytes` of unpacked lines, each from a frame's first whole line on; none of a single frame.

    Every frame is unpacked once, to count its lines: a row's number is that of its line.
    """
    found: list[tuple[int, int, int, int]] = []  # offset of the frame, bytes to skip in it, first row, unpacked offset
    with reading(shard.location), unpacking(shard.location), open_file(shard.location) as raw:
        places = list(frames(raw))
        if len(places) < 2:
            return []
        raw.seek(0)
        at = rows = cut = 0
        last = b"\n"
        pending: tuple[int, int] | None = (0, 0)  # a frame that is to begin a block, and where that is unpacked
        for begin, end in zip(places, [*places[1:], size], strict=True):
            if pending is None and at - cut >= part_bytes:
                pending = begin, at
            stream = unpacked(
                cast(BinaryIO, _Part(raw, begin, end)), "zstd", shard.location, most=size * source.max_expansion
            )
            while chunk := stream.read(CHUNK):
                if pending is not None:
                    start = 0 if last == b"\n" else chunk.find(b"\n") + 1
                    if last == b"\n" or start:
                        cut = at + start
                        found.append((pending[0], cut - pending[1], rows + chunk.count(b"\n", 0, start), cut))
                        pending = None
                rows += chunk.count(b"\n")
                at, last = at + len(chunk), chunk[-1:]
    rows += last != b"\n"
    found = [place for place in found if place[3] < at]
    ends = [(row, offset) for _, _, row, offset in found[1:]] + [(rows, at)]
    return [
        shard.block(
            source,
            "jsonl",
            offset=begin,
            first_row=row,
            bytes=end - offset,
            skip=skip,
            take=end - offset,
            lines=stop - row,
        )
        for (begin, skip, row, offset), (stop, end) in zip(found, ends, strict=True)
    ]


def frames(raw: BinaryIO) -> Iterator[int]:
    """Where each frame begins; of a damaged file as many as can be told. Only headers are read."""
    at = 0
    while True:
        raw.seek(at)
        header = raw.read(18)
        if len(header) < 8:
            return
        magic = int.from_bytes(header[:4], "little")
        if magic & 0xFFFFFFF0 == _SKIPPABLE:
            at += 8 + int.from_bytes(header[4:8], "little")
            continue
        if magic != _MAGIC:
            return
        yield at
        descriptor = header[4]
        single = descriptor >> 5 & 1
        sizes = (single, 2, 4, 8)[descriptor >> 6]
        at += 5 + (not single) + (0, 1, 2, 4)[descriptor & 3] + sizes
        final = False
        while not final:
            raw.seek(at)
            block = raw.read(3)
            if len(block) < 3:
                return
            word = int.from_bytes(block, "little")
            final = bool(word & 1)
            at += 3 + (1 if word >> 1 & 3 == 1 else word >> 3)  # a run of one byte is stored as that byte
        at += 4 * (descriptor >> 2 & 1)


class _Part:
    """A range of a file, as a file; to close it leaves the file open."""

    closed = False

    def close(self) -> None:
        self.closed = True

    def __init__(self, raw: BinaryIO, begin: int, end: int) -> None:
        self._raw, self._at, self._end = raw, begin, end

    def read(self, size: int = -1) -> bytes:
        self._raw.seek(self._at)
        data = self._raw.read(min(size, self._end - self._at) if size >= 0 else self._end - self._at)
        self._at += len(data)
        return data
