"""JSON: a file that is one array of rows (perhaps under a key of an object), or rows one behind another."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

import numpy as np

from pipeline import fingerprint
from pipeline.config import Source
from pipeline.errors import InputError, did_you_mean
from pipeline.ingest.blocks import Block
from pipeline.ingest.containers.framing import framed
from pipeline.ingest.containers.scan import BETWEEN, CLOSED, LITERAL, STATE, scan_values
from pipeline.ingest.lines import Lines
from pipeline.ingest.packed import check_plain, codec_of, unpacking
from pipeline.ingest.shards import Shard
from pipeline.ingest.storage import open_file, reading
from pipeline.ingest.streams import CHUNK, chunks_of, content_of, unpacked_size

__all__ = ["read_json", "survey_json"]

_FIELDS = {"squad": "data", "retrieval": "data"}
"""Format → the key under which files of it as published hold their rows."""

_SPACE = re.compile(rb"[ \t\n\r]*")
_skip_value: Callable[[str, int], tuple[Any, int]] = json.JSONDecoder().scan_once  # type: ignore[attr-defined]


class _Values:
    """Finds values in chunks, and remembers how the file ends."""

    def __init__(self, *, array: bool, field: bool, location: str) -> None:
        self._array, self._field, self._location = array, field, location
        self._state = np.zeros(STATE, np.int64)
        self._base = 0

    def __call__(self, chunk: bytes, base: int) -> tuple[np.ndarray, np.ndarray, int]:
        """See `framing.Scan`."""
        open_before = self._state[0] != CLOSED
        starts, ends = np.empty(len(chunk) + 1, np.int64), np.empty(len(chunk) + 1, np.int64)
        closed = np.full(1, base - 1)
        count = scan_values(np.frombuffer(chunk, np.uint8), base, self._state, starts, ends, closed)
        self._base = base + len(chunk)
        if self._state[0] == CLOSED:
            after = chunk[int(closed[0]) + 1 - base :] if open_before else chunk
            if not self._array or (not self._field and after.strip()):
                raise _broken(self._location, "something follows the end of the array")
        begun = self._state[0] not in (BETWEEN, CLOSED)
        return starts[:count], ends[:count], int(self._state[2]) if begun else self._base

    def check_end(self) -> None:
        """Say so if the file ends too early."""
        if self._array and self._state[0] != CLOSED:
            raise _broken(self._location, "the array does not end")
        if self._state[0] not in (BETWEEN, LITERAL, CLOSED):
            raise _broken(self._location, "it ends inside a value")


def survey_json(source: Source, shard: Shard, *, part_bytes: int) -> tuple[list[Block], str]:
    """Read a file once: its blocks of about `part_bytes`, cut after a value, and its content's fingerprint.

    Raises:
        InputError: the file cannot be read, holds no such `field`, or ends in the middle.
    """
    if codec_of(shard.location) is not None:
        content, size, tail = content_of(shard.location)
        block = shard.block(source, "json", bytes=unpacked_size(shard.location, size, tail))
        with reading(shard.location), unpacking(shard.location):
            _enter(source, shard.location, next(iter(chunks_of(block)), b""))
        return [block], content
    digest = fingerprint.Content()
    with reading(shard.location), open_file(shard.location) as stream:
        first = stream.read(CHUNK)
        check_plain(first, shard.location)
        digest.update(first)
        begin, array, field = _enter(source, shard.location, first)
        values = _Values(array=array, field=field, location=shard.location)
        cuts, rows = [begin], [0]
        count, base, chunk, stop = 0, begin, first[begin:], begin
        while chunk:
            _, ends, _ = values(chunk, base)
            wanted = cuts[-1] + part_bytes
            while (index := int(np.searchsorted(ends, wanted))) < len(ends):
                cuts.append(int(ends[index]))
                rows.append(count + index + 1)
                wanted = cuts[-1] + part_bytes
            count += len(ends)
            base += len(chunk)
            stop = int(ends[-1]) if len(ends) else stop
            chunk = stream.read(CHUNK)
            digest.update(chunk)
        values.check_end()
    if not array and stop != base:  # a number may end with the file
        stop, count = base, count + (values._state[0] == LITERAL)
    blocks = [
        shard.block(source, "json", offset=cut, length=end - cut, first_row=row, bytes=end - cut, lines=last - row)
        for cut, end, row, last in zip(cuts, [*cuts[1:], stop], rows, [*rows[1:], count], strict=True)
        if last > row
    ]
    return blocks, digest.hexdigest()


def read_json(block: Block, *, max_row_bytes: int) -> Iterator[Lines]:
    """The values of a block.

    Raises:
        InputError: the file cannot be read, is damaged, or ends in the middle.
    """
    chunks = chunks_of(block)
    array = field = False
    whole = codec_of(block.location) is not None
    if whole:
        first = next(chunks, b"")
        begin, array, field = _enter(block.source, block.location, first)
        chunks = chain([first[begin:]], chunks)
    values = _Values(array=array, field=field, location=block.location)
    ended = chain(chunks, [b" "])  # ends a number that ends the file
    yield from framed(ended, values, base=0, first_row=block.first_row, max_row_bytes=max_row_bytes)
    values.check_end()


def _enter(source: Source, location: str, first: bytes) -> tuple[int, bool, bool]:
    """Where the rows begin, whether in an array, and whether that stands under a key, by the beginning of a file."""
    at = len(b"\xef\xbb\xbf") if first.startswith(b"\xef\xbb\xbf") else 0
    at = _past_space(first, at)
    if first[at : at + 1] == b"[":
        return at + 1, True, False
    field = source.field or _FIELDS.get(str(source.format))
    if field is None or first[at : at + 1] != b"{":
        return at, False, False
    text = first.decode("latin-1")  # so that a place in it is one in the file
    seen: list[str] = []
    place = _past_space(first, at + 1)
    try:
        while text[place] == '"':
            key, place = _skip_value(text, place)
            seen.append(key.encode("latin-1").decode(errors="replace"))
            place = _past_space(first, _past_space(first, place) + 1)
            if seen[-1] == field:
                if text[place] == "[":
                    return place + 1, True, True
                break
            place = _past_space(first, _skip_value(text, place)[1])
            place = _past_space(first, place + (text[place] == ","))
    except (StopIteration, ValueError, IndexError):
        pass  # the object goes on beyond what was read, or is broken
    if source.field is None:
        return at, False, False
    near = did_you_mean(field, [key for key in seen if key != field])
    raise InputError(
        f"no array under the key {field!r} within the first MiB{near}",
        where=f"source {source.name}, field: {location}",
        mend=f"the object begins with the keys {', '.join(seen[:5]) or 'that cannot be read'}",
    )


def _past_space(data: bytes, at: int) -> int:
    match = _SPACE.match(data, at)
    return match.end() if match else at


def _broken(location: str, why: str) -> InputError:
    return InputError(
        f"the JSON file is damaged: {why}",
        where=location,
        mend="fetch or write the file again; JSON Lines belong into a file called .jsonl, or set `container: jsonl`",
    )
