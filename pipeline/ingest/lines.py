"""Lines of a block, read with bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from pipeline.engines.plain_lines import PlainLines, joined
from pipeline.ingest.blocks import Block
from pipeline.ingest.packed import codec_of
from pipeline.ingest.rejected import Rejected
from pipeline.ingest.storage import open_file, reading
from pipeline.ingest.streams import CHUNK, changed, chunks_of

__all__ = ["Line", "Lines", "gathered", "in_one", "lines_of", "regathered", "together", "too_long"]

_BOM = b"\xef\xbb\xbf"


class Line(NamedTuple):
    """A line of a file, or what a target yielded written as one."""

    row: int
    """Its number, from 0."""
    text: bytes | Rejected
    """Its bytes without the end of line, or why they are not to be read."""
    bytes: int
    """Its length without the end of line."""


class Lines(NamedTuple):
    """Some lines that follow each other, in one buffer; blank ones are left out."""

    buffer: bytes
    numbers: np.ndarray
    """int64 (n), the number of each, from 0."""
    starts: np.ndarray
    """int64 (n), where each begins in the buffer."""
    ends: np.ndarray
    """int64 (n), where each ends, without the end of line."""
    refused: dict[int, Rejected]
    """Why some are not to be read, by their place among the n; they have no bytes here."""
    sizes: np.ndarray
    """int64 (n), the bytes of each without its end of line, also of those that have none here."""
    read: PlainLines | None = None
    """What was read of them already, of rows whose texts came as columns: its plain ones have no bytes here."""

    @property
    def size(self) -> int:
        """Bytes of all lines, without ends of lines."""
        return int(self.sizes.sum())

    def part(self, first: int, last: int) -> Lines:
        """The lines from a place to before another, with no bytes of the others."""
        numbers, starts, ends, sizes = (one[first:last] for one in (self.numbers, self.starts, self.ends, self.sizes))
        held = ends > starts
        begin, end = (int(starts[held][0]), int(ends[held][-1])) if held.any() else (0, 0)
        starts, ends = (np.where(held, one - begin, 0) for one in (starts, ends))
        refused = {place - first: why for place, why in self.refused.items() if first <= place < last}
        read = None if self.read is None else self.read.part(first, last)
        return Lines(self.buffer[begin:end], numbers, starts, ends, refused, sizes, read)

    def text(self, index: int) -> bytes:
        """The bytes of one line.

        Raises:
            Rejected: they are not to be read.
        """
        if index in self.refused:
            raise self.refused[index]
        return self.buffer[self.starts[index] : self.ends[index]]


def lines_of(block: Block, *, max_row_bytes: int) -> Iterator[Lines]:
    """Read the lines of a block of a file, about `CHUNK` bytes at once; blank lines are counted but left out.

    A line ends with a line feed, after a carriage return or not; the last one also with the file. A byte order mark
    at the file's start is skipped. Of a line longer than `max_row_bytes` no more than that is ever held.

    Raises:
        InputError: the file cannot be read, is damaged, or is not what it was when it was surveyed.
    """
    row = block.first_row
    for whole, length in _whole_lines(_checked(block), max_row_bytes):
        if whole is None:
            why = too_long(length, max_row_bytes)
            yield Lines(
                b"", np.array([row]), np.zeros(1, np.int64), np.zeros(1, np.int64), {0: why}, np.array([length])
            )
            row += 1
        else:
            lines, count = _lines(whole, row, max_row_bytes)
            del whole
            yield lines
            row += count


def gathered(lines: Iterator[Line]) -> Iterator[Lines]:
    """Gather lines into batches of about `CHUNK` bytes."""
    held: list[Line] = []
    size = 0
    for line in lines:
        held.append(line)
        size += line.bytes
        if size >= CHUNK:
            yield in_one(held)
            held, size = [], 0
    if held:
        yield in_one(held)


def in_one(lines: list[Line]) -> Lines:
    """Lines in one buffer."""
    texts = [b"" if isinstance(line.text, Rejected) else line.text for line in lines]
    ends = np.cumsum([len(text) for text in texts])
    return Lines(
        b"".join(texts),
        np.array([line.row for line in lines]),
        np.concatenate([[0], ends[:-1]]),
        ends,
        {index: line.text for index, line in enumerate(lines) if isinstance(line.text, Rejected)},
        np.array([line.bytes for line in lines]),
    )


def together(lines: Sequence[Lines]) -> Lines:
    """Lines that follow each other, in one buffer."""
    if len(lines) == 1:
        return lines[0]
    firsts = np.cumsum([0, *(len(some.buffer) for some in lines)])[:-1]
    counts = np.cumsum([0, *(len(some.numbers) for some in lines)])[:-1].tolist()
    return Lines(
        b"".join(some.buffer for some in lines),
        np.concatenate([some.numbers for some in lines]),
        np.concatenate([some.starts + first for some, first in zip(lines, firsts, strict=True)]),
        np.concatenate([some.ends + first for some, first in zip(lines, firsts, strict=True)]),
        {count + index: why for some, count in zip(lines, counts, strict=True) for index, why in some.refused.items()},
        np.concatenate([some.sizes for some in lines]),
        joined([some.read for some in lines if some.read is not None]) if lines[0].read is not None else None,
    )


def regathered(pieces: Iterator[Lines]) -> Iterator[Lines]:
    """Cut lines that came in pieces of any size as `gathered` does."""
    held: list[Lines] = []
    size = 0
    for some in pieces:
        ends, at = size + np.cumsum(some.sizes), 0
        while (cut := int(np.searchsorted(ends, CHUNK)) + 1) <= len(ends):
            yield together([*held, some.part(at, cut)])
            ends -= ends[cut - 1]
            held, at = [], cut
        size = int(ends[-1])
        if at < len(ends):
            held.append(some.part(at, len(ends)) if at else some)
    if held:
        yield together(held)


def too_long(length: int, limit: int) -> Rejected:
    """The rejection of a row of more than `ingest.max_row_bytes`."""
    return Rejected("too_long", "longer than ingest.max_row_bytes", value=length, threshold=limit)


def _checked(block: Block) -> Iterator[bytes]:
    """The chunks of a block, which begins where a line does; a plain file that was rewritten shows itself here."""
    if block.offset and codec_of(block.location) is None:
        with reading(block.location), open_file(block.location) as raw:
            raw.seek(block.offset - 1)
            if raw.read(1) != b"\n":
                raise changed(block)
    yield from chunks_of(block)


def _whole_lines(chunks: Iterator[bytes], limit: int) -> Iterator[tuple[bytes | None, int]]:
    """Yield runs of whole lines and their length; for a line that is too long to be held None and its length."""
    begun: list[bytes] = []  # of the line that runs over the end of a chunk, as far as it is worth holding
    length, last = 0, b""  # its bytes so far, and the last of them
    for chunk in chunks:
        cut = chunk.rfind(b"\n") + 1
        if cut and length > limit + 1:  # one more for a carriage return
            first = chunk.find(b"\n")
            last = chunk[first - 1 : first] if first else last
            yield None, length + first - (last == b"\r")
            whole = chunk[first + 1 : cut]
        elif cut:
            whole = b"".join([*begun, chunk[:cut]])
        if cut:
            begun, length = [], 0  # before a long line goes out, so that it is not held twice
            if whole:
                yield whole, len(whole)
        rest = chunk[cut:]
        length, last = length + len(rest), rest[-1:] or last
        if length <= limit + 1:
            begun.append(rest)
        else:
            begun.clear()
    if length > limit + 1:
        yield None, length - (last == b"\r")
    elif length:
        yield b"".join(begun), length


def _lines(whole: bytes, row: int, limit: int) -> tuple[Lines, int]:
    """Find the lines in a run of whole lines of which the first has the number `row`, and count all, blank ones too."""
    data = np.frombuffer(whole, np.uint8)
    ends = np.flatnonzero(data == 10)
    if data[-1] != 10:
        ends = np.append(ends, len(data))
    starts = np.concatenate([[0], ends[:-1] + 1])
    ends = ends - ((ends > starts) & (data[ends - 1] == 13))
    lengths = ends - starts
    count = len(starts)
    if row == 0 and whole.startswith(_BOM):
        starts[0] = min(starts[0] + len(_BOM), ends[0])
    # Only a line whose first byte is white space can be blank.
    held = (ends > starts) | (lengths > limit)
    first = data[np.minimum(starts, len(data) - 1)]
    for index in np.flatnonzero(held & ((first == 32) | ((first >= 9) & (first <= 13)))):
        held[index] = lengths[index] > limit or not whole[starts[index] : ends[index]].isspace()
    kept = np.flatnonzero(held)
    starts, ends, lengths = starts[kept], ends[kept], lengths[kept]
    long = np.flatnonzero(lengths > limit).tolist()
    ends[long] = starts[long]
    refused = {index: too_long(int(lengths[index]), limit) for index in long}
    return Lines(whole, row + kept, starts, ends, refused, lengths), count
