"""Lines of a block, read with bounded memory."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from pipeline.errors import PASSING, InputError
from pipeline.ingest.blocks import Block
from pipeline.ingest.rejected import Rejected

__all__ = ["CHUNK", "Line", "lines_of", "too_long"]

_BOM = b"\xef\xbb\xbf"
CHUNK = 1 << 20
"""Bytes read at once."""


class Line(NamedTuple):
    """A line of a file, or what a target yielded written as one."""

    row: int
    """Its number, from 0."""
    text: bytes | Rejected
    """Its bytes without the end of line, or why they are not to be read."""
    bytes: int
    """Its length without the end of line."""


def lines_of(block: Block, *, max_row_bytes: int) -> Iterator[Line]:
    """Read the lines of a block of a file; blank lines are counted but not yielded.

    A line ends with a line feed, after a carriage return or not; the last one also with the file. A byte order mark
    at the file's start is skipped. Of a line longer than `max_row_bytes` no more than that is ever held.

    Raises:
        InputError: the file cannot be read, is a damaged `.gz`, or is not what it was when it was surveyed.
    """
    row = block.first_row
    try:
        with _open(block) as stream:
            for text, length in _split(_chunks(stream, block), max_row_bytes):
                if row == 0 and text is not None and text.startswith(_BOM):
                    text = text[len(_BOM) :]
                if text is None:
                    yield Line(row, too_long(length, max_row_bytes), length)
                elif text and not text.isspace():
                    yield Line(row, text, length)
                row += 1
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise _gzip_damaged(block.location, error) from None
    except OSError as error:
        if error.errno in PASSING:
            raise
        raise InputError(
            f"cannot be read: {error.strerror or error}", where=block.location, mend="check the file and its rights"
        ) from None


def too_long(length: int, limit: int) -> Rejected:
    """The rejection of a row of more than `ingest.max_row_bytes`."""
    return Rejected("too_long", "longer than ingest.max_row_bytes", value=length, threshold=limit)


def _gzip_damaged(location: str, error: Exception) -> InputError:
    """The message for a `.gz` file that ends early or is not gzip at all."""
    return InputError(
        f"the .gz file is damaged: {error}",
        where=location,
        mend=f"fetch or pack the file again (`gzip --test {location}` must be silent), or take it out of the source",
    )


def _open(block: Block) -> BinaryIO:
    if block.location.endswith(".gz"):
        return cast(BinaryIO, gzip.open(block.location, "rb"))
    return Path(block.location).open("rb")


def _chunks(stream: BinaryIO, block: Block) -> Iterator[bytes]:
    if block.length < 0:
        while chunk := stream.read(CHUNK):
            yield chunk
        return
    # A block begins where a line does; a file that was rewritten in the meantime shows itself here.
    stream.seek(max(block.offset - 1, 0))
    if block.offset and stream.read(1) != b"\n":
        raise _changed(block)
    left = block.length
    while left:
        chunk = stream.read(min(CHUNK, left))
        if not chunk:
            raise _changed(block)
        left -= len(chunk)
        yield chunk


def _changed(block: Block) -> InputError:
    return InputError(
        "the file changed while it was being read", where=block.location, mend="run the same command again"
    )


def _split(chunks: Iterator[bytes], limit: int) -> Iterator[tuple[bytes | None, int]]:
    """Yield each line (None where it is longer than `limit`) and its length."""
    begun: list[bytes] = []  # of the line that runs over the end of a chunk, as far as it is worth holding
    length, last = 0, b""  # its bytes so far, and the last of them
    for chunk in chunks:
        first, *others = chunk.split(b"\n")
        length, last = length + len(first), first[-1:] or last
        if length <= limit + 1:  # one more for a carriage return
            begun.append(first)
        else:
            begun.clear()
        if not others:
            continue
        yield _line(b"".join(begun), length, last, limit)
        rest = others.pop()
        for line in others:
            yield _line(line, len(line), line[-1:], limit)
        begun, length, last = [rest], len(rest), rest[-1:]
    if length:
        yield _line(b"".join(begun), length, last, limit)


def _line(held: bytes, length: int, last: bytes, limit: int) -> tuple[bytes | None, int]:
    if last == b"\r":
        held, length = held[:-1], length - 1
    return (held, length) if length <= limit else (None, length)
