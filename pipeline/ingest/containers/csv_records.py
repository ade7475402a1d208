"""CSV and TSV (RFC 4180): the first record names the columns, every other is a row of strings."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterator
from itertools import chain

import numpy as np
import orjson

from pipeline import fingerprint
from pipeline.config import Source
from pipeline.errors import InputError
from pipeline.ingest.blocks import Block
from pipeline.ingest.containers.framing import framed
from pipeline.ingest.containers.scan import STATE, scan_records
from pipeline.ingest.lines import Line, Lines, gathered
from pipeline.ingest.packed import check_plain, codec_of
from pipeline.ingest.rejected import Rejected
from pipeline.ingest.shards import Shard
from pipeline.ingest.storage import open_file, reading
from pipeline.ingest.streams import CHUNK, chunks_of, content_of, unpacked_size

__all__ = ["read_csv", "survey_csv"]

_BOM = b"\xef\xbb\xbf"
_HEADER = 1 << 20
"""Bytes that the names of the columns may take."""

csv.field_size_limit(min(sys.maxsize, 2**63 - 1))  # `max_row_bytes` is the bound


class _Records:
    """Finds records in chunks."""

    def __init__(self, delimiter: str, begin: int) -> None:
        self._delimiter = ord(delimiter)
        self._state = np.zeros(STATE, np.int64)
        self._begin = begin

    def __call__(self, chunk: bytes, base: int) -> tuple[np.ndarray, np.ndarray, int]:
        """See `framing.Scan`."""
        ends = np.empty(len(chunk) + 1, np.int64)
        count = scan_records(np.frombuffer(chunk, np.uint8), base, self._delimiter, self._state, ends)
        ends = ends[:count]
        starts = np.concatenate([[self._begin], ends[:-1]])[:count].astype(np.int64)
        if count:
            self._begin = int(ends[-1])
        return starts, ends, self._begin


def survey_csv(source: Source, shard: Shard, *, part_bytes: int) -> tuple[list[Block], str]:
    """Read a file once: its columns, its blocks of about `part_bytes` cut after a record, and its fingerprint.

    Raises:
        InputError: the file cannot be read, or names no columns.
    """
    delimiter = _delimiter(shard.location)
    if codec_of(shard.location) is not None:
        content, size, tail = content_of(shard.location)
        block = shard.block(source, "csv", bytes=unpacked_size(shard.location, size, tail))
        header, begin = _header(_beginning(chunks_of(block)), delimiter, shard.location)
        return [shard.block(source, "csv", bytes=block.bytes, header=header, skip=begin)], content
    digest = fingerprint.Content()
    with reading(shard.location), open_file(shard.location) as stream:
        first = stream.read(_HEADER)
        check_plain(first, shard.location)
        digest.update(first)
        header, begin = _header(first, delimiter, shard.location)
        records = _Records(delimiter, begin)
        cuts, rows = [begin], [0]
        count, base, chunk = 0, begin, first[begin:]
        while chunk:
            _, ends, _ = records(chunk, base)
            while (index := int(np.searchsorted(ends, cuts[-1] + part_bytes))) < len(ends):
                cuts.append(int(ends[index]))
                rows.append(count + index + 1)
            count += len(ends)
            base += len(chunk)
            chunk = stream.read(CHUNK)
            digest.update(chunk)
        count += records._begin < base
    blocks = [
        shard.block(
            source, "csv", offset=cut, length=end - cut, first_row=row, bytes=end - cut, lines=last - row, header=header
        )
        for cut, end, row, last in zip(cuts, [*cuts[1:], base], rows, [*rows[1:], count], strict=True)
        if end > cut
    ]
    return blocks, digest.hexdigest()


def read_csv(block: Block, *, max_row_bytes: int) -> Iterator[Lines]:
    """The records of a block, each written as a JSON object of strings."""
    delimiter = _delimiter(block.location)
    ended = chain(chunks_of(block), [b"\n"])  # ends the last record; a blank one is no row
    records = framed(ended, _Records(delimiter, 0), base=0, first_row=block.first_row, max_row_bytes=max_row_bytes)
    return gathered(_rows(records, block.header, delimiter))


def _rows(records: Iterator[Lines], header: tuple[str, ...], delimiter: str) -> Iterator[Line]:
    for lines in records:
        for index, number in enumerate(lines.numbers.tolist()):
            try:
                text = lines.text(index)
            except Rejected as why:
                yield Line(number, why, int(why.value or 0))
                continue
            if text.strip(b"\r\n"):
                yield Line(number, _as_json(text, header, delimiter), len(text))


def _as_json(record: bytes, header: tuple[str, ...], delimiter: str) -> bytes | Rejected:
    try:
        cells = next(csv.reader(io.StringIO(record.decode(), newline=""), delimiter=delimiter, strict=True))
    except UnicodeDecodeError as invalid:
        return Rejected("invalid_utf8", f"byte {invalid.start + 1} is not UTF-8")
    except csv.Error:
        return Rejected("malformed_csv", "quotes that do not match, or a carriage return outside of them")
    if len(cells) != len(header):
        return Rejected("malformed_csv", f"{len(cells)} cells, but {len(header)} columns")
    return orjson.dumps(dict(zip(header, cells, strict=True)))


def _beginning(chunks: Iterator[bytes]) -> bytes:
    data = b""
    for chunk in chunks:
        data += chunk
        if len(data) >= _HEADER:
            break
    return data


def _header(first: bytes, delimiter: str, location: str) -> tuple[tuple[str, ...], int]:
    """The names of the columns, and where the first row begins."""
    begin = len(_BOM) if first.startswith(_BOM) else 0
    _, ends, _ = _Records(delimiter, begin)(first[begin:] + b"\n", begin)
    end = min(int(ends[0]), len(first))
    try:
        (names,) = csv.reader(io.StringIO(first[begin:end].decode(), newline=""), delimiter=delimiter, strict=True)
    except (ValueError, csv.Error):
        names = []
    if not names or len(set(names)) != len(names) or not all(names):
        raise InputError(
            "the first record does not name the columns: each needs a name of its own",
            where=location,
            mend="write a header, or correct it; the columns' delimiter is a comma, in a .tsv file a tab",
        )
    return tuple(names), end


def _delimiter(location: str) -> str:
    return "\t" if ".tsv" in location.rpartition("/")[2] else ","
