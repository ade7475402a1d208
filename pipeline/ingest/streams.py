"""The bytes of a block, unpacked, in chunks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from pipeline import fingerprint
from pipeline.errors import InputError
from pipeline.ingest.blocks import Block
from pipeline.ingest.packed import Reader, codec_of, unpacked, unpacking
from pipeline.ingest.storage import open_file, reading, size_of

__all__ = ["CHUNK", "changed", "chunks_of", "content_of", "open_stream", "unpacked_size"]

CHUNK = 1 << 20
"""Bytes read at once."""


def chunks_of(block: Block) -> Iterator[bytes]:
    """Read a block of a plain or packed file.

    Raises:
        InputError: the file cannot be read, is damaged, or is shorter than it was when it was surveyed.
    """
    with reading(block.location), unpacking(block.location), open_file(block.location) as raw:
        stream = open_stream(block, raw)
        _skip(stream, block.skip, block)
        left = block.length if codec_of(block.location) is None else block.take
        while left:
            chunk = stream.read(CHUNK if left < 0 else min(CHUNK, left))
            if not chunk:
                if left > 0:
                    raise changed(block)
                return
            left -= len(chunk) if left > 0 else 0
            yield chunk


def open_stream(block: Block, raw: BinaryIO) -> Reader:
    """Unpack a block's file from the block's beginning on.

    Args:
        block: of the file.
        raw: the file, open.

    Raises:
        EOFError: a packed file holds nothing at all, which its codec would take for a file without rows.
    """
    if block.offset:
        raw.seek(block.offset)
    codec = codec_of(block.location)
    if codec is None:
        return raw
    size = size_of(block.location)
    if not size:
        begin = raw.read(1)
        if not begin:
            raise EOFError("it has no bytes")
        raw.seek(0)
    return unpacked(raw, codec, block.location, most=size * block.source.max_expansion)


def content_of(location: str) -> tuple[str, int, bytes]:
    """Read a file as it lies there: its fingerprint, its size and its last four bytes."""
    digest = fingerprint.Content()
    size, tail = 0, b""
    with reading(location), open_file(location) as raw:
        while chunk := raw.read(CHUNK):
            digest.update(chunk)
            size += len(chunk)
            tail = (tail + chunk[-4:])[-4:]
    return digest.hexdigest(), size, tail


def unpacked_size(location: str, size: int, tail: bytes) -> int:
    """About how much a packed file holds, for planning.

    A gzip file ends with its unpacked size modulo 4 GiB (RFC 1952), right in nearly every file; of the other codecs
    text is usually packed about four to one.
    """
    if not size or codec_of(location) is None:
        return size
    return max(size, int.from_bytes(tail, "little")) if codec_of(location) == "gzip" else 4 * size


def changed(block: Block) -> InputError:
    """The message for a file that is no longer what the survey saw."""
    return InputError(
        "the file changed while it was being read", where=block.location, mend="run the same command again"
    )


def _skip(stream: Reader, count: int, block: Block) -> None:
    while count:
        skipped = stream.read(min(CHUNK, count))
        if not skipped:
            raise changed(block)
        count -= len(skipped)
