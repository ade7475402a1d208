"""Plain text and code: a file is a row, or every line of it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import orjson

from pipeline.config import Source
from pipeline.ingest.blocks import Block
from pipeline.ingest.containers.jsonl import survey_jsonl
from pipeline.ingest.lines import Line, Lines, gathered, lines_of, too_long
from pipeline.ingest.rejected import Rejected
from pipeline.ingest.shards import Shard
from pipeline.ingest.streams import chunks_of, content_of, unpacked_size

__all__ = ["as_document", "read_document", "read_text_lines", "survey_document", "survey_text_lines"]


def survey_document(source: Source, shard: Shard, *, part_bytes: int) -> tuple[list[Block], str]:
    """One block of one row, and the file's fingerprint."""
    content, size, tail = content_of(shard.location)
    return [shard.block(source, "document", bytes=unpacked_size(shard.location, size, tail), lines=1)], content


def read_document(block: Block, *, max_row_bytes: int) -> Iterator[Lines]:
    """The file as `{"text", "path"}`; of one that is too long no more than that is read."""
    held: list[bytes] = []
    size = 0
    for chunk in chunks_of(block):
        size += len(chunk)
        if size <= max_row_bytes:
            held.append(chunk)
        else:
            held.clear()
    text = too_long(size, max_row_bytes) if size > max_row_bytes else as_document(b"".join(held), block.shard)
    yield from gathered(iter([Line(0, text, size)]))


def survey_text_lines(source: Source, shard: Shard, *, part_bytes: int) -> tuple[list[Block], str]:
    """Blocks of whole lines."""
    blocks, content = survey_jsonl(source, shard, part_bytes=part_bytes)
    return [replace(block, container="text_lines") for block in blocks], content


def read_text_lines(block: Block, *, max_row_bytes: int) -> Iterator[Lines]:
    """Each line that is not blank as `{"text"}`."""
    return gathered(
        Line(int(number), _line(lines, index), int(lines.ends[index] - lines.starts[index]))
        for lines in lines_of(block, max_row_bytes=max_row_bytes)
        for index, number in enumerate(lines.numbers)
    )


def as_document(data: bytes, path: str | None = None) -> bytes | Rejected:
    """A text as a row's JSON; a byte order mark at its start goes."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as invalid:
        return Rejected("invalid_utf8", f"byte {invalid.start + 1} is not UTF-8")
    return orjson.dumps({"text": text} if path is None else {"text": text, "path": path})


def _line(lines: Lines, index: int) -> bytes | Rejected:
    try:
        return as_document(lines.text(index))
    except Rejected as why:
        return why
