"""Zip and tar archives: every file in them is a row, with its name there as `path`."""

from __future__ import annotations

import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, cast

from pipeline.config import Source
from pipeline.errors import InputError
from pipeline.ingest.blocks import Block
from pipeline.ingest.containers.documents import as_document
from pipeline.ingest.lines import Line, Lines, gathered, too_long
from pipeline.ingest.packed import FREE, Reader, codec_of
from pipeline.ingest.shards import Shard
from pipeline.ingest.storage import open_file, reading
from pipeline.ingest.streams import CHUNK, content_of, open_stream, unpacked_size

__all__ = ["read_tar", "read_zip", "survey_tar", "survey_zip"]


def survey_zip(source: Source, shard: Shard, *, part_bytes: int) -> tuple[list[Block], str]:
    """Blocks of whole members, about `part_bytes` of them unpacked, and the archive's fingerprint.

    Raises:
        InputError: it is no zip archive, is damaged, encrypted, or would unpack to more than any honest one.
    """
    content, size, _ = content_of(shard.location)
    with reading(shard.location), _archive(shard.location), open_file(shard.location) as raw:
        members = _members(zipfile.ZipFile(raw))
    total = sum(member.file_size for member in members)
    _check_size(total, size, source, shard.location)
    if any(member.flag_bits & 1 for member in members):
        raise _broken(shard.location, "it is encrypted")
    blocks: list[Block] = []
    begin = held = 0
    for number, member in enumerate(members, 1):
        held += member.file_size
        if held >= part_bytes or number == len(members):
            blocks.append(
                shard.block(
                    source,
                    "zip",
                    offset=begin,
                    length=number - begin,
                    first_row=begin,
                    bytes=held,
                    lines=number - begin,
                )
            )
            begin, held = number, 0
    return blocks, content


def read_zip(block: Block, *, max_row_bytes: int) -> Iterator[Lines]:
    """The members of a block."""
    return gathered(_zip_lines(block, max_row_bytes))


def survey_tar(source: Source, shard: Shard, *, part_bytes: int) -> tuple[list[Block], str]:
    """One block, since where a member begins is known only from those before it; and the archive's fingerprint."""
    content, size, tail = content_of(shard.location)
    return [shard.block(source, "tar", bytes=unpacked_size(shard.location, size, tail))], content


def read_tar(block: Block, *, max_row_bytes: int) -> Iterator[Lines]:
    """The files of an archive, in their order; folders and links are no rows."""
    return gathered(_tar_lines(block, max_row_bytes))


def _zip_lines(block: Block, limit: int) -> Iterator[Line]:
    with reading(block.location), _archive(block.location), open_file(block.location) as raw:
        archive = zipfile.ZipFile(raw)
        members = _members(archive)[block.offset : block.offset + block.length]
        for number, member in enumerate(members, block.first_row):
            if member.file_size > limit:
                yield Line(number, too_long(member.file_size, limit), member.file_size)
                continue
            with archive.open(member) as stream:
                yield _row(number, stream, member.filename, limit)


def _tar_lines(block: Block, limit: int) -> Iterator[Line]:
    with reading(block.location), _archive(block.location), open_file(block.location) as raw:
        stream = _Remembering(open_stream(block, raw))
        total = number = 0
        with tarfile.open(fileobj=cast(IO[bytes], stream), mode="r|") as archive:
            for member in archive:
                if not member.isfile():
                    continue
                total += member.size
                if codec_of(block.location) is None:  # a sparse member says more than it holds
                    _check_size(total, block.bytes, block.source, block.location)
                if member.size > limit:
                    yield Line(number, too_long(member.size, limit), member.size)
                else:
                    yield _row(number, cast(IO[bytes], archive.extractfile(member)), member.name, limit)
                number += 1
        stream.check_end(block.location)


class _Remembering:
    """A reader that remembers how what it read ends; a tar archive ends with blocks of zeros, or is cut off."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._last = b""

    def read(self, size: int, /) -> bytes:
        data = self._reader.read(size)
        self._last = (self._last + data[-512:])[-512:]
        return data

    def check_end(self, location: str) -> None:
        """Read on to the end, and look for the zeros."""
        while self.read(CHUNK):
            pass
        if self._last != bytes(512):
            raise _broken(location, "it ends too early")


def _row(number: int, stream: IO[bytes], name: str, limit: int) -> Line:
    data = stream.read(limit + 1)
    return Line(number, as_document(data, name.encode(errors="replace").decode()), len(data))


def _members(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    return [member for member in archive.infolist() if not member.is_dir()]


def _check_size(total: int, size: int, source: Source, location: str) -> None:
    most = max(FREE, size * source.max_expansion)
    if total > most:
        raise InputError(
            f"its files are {total:,} bytes, but the archive only {size:,}, which looks like a decompression bomb",
            where=location,
            mend="take it out of the source; if it is meant to be like that, raise the source's `max_expansion`",
        )


@contextmanager
def _archive(location: str) -> Iterator[None]:
    unreadable = (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, lzma.LZMAError)
    try:
        yield
    except (*unreadable, NotImplementedError) as error:
        raise _broken(location, str(error)) from None
    except OSError as error:
        if error.errno is not None:
            raise
        raise _broken(location, str(error)) from None


def _broken(location: str, why: str) -> InputError:
    return InputError(
        f"the archive cannot be read: {why}",
        where=location,
        mend="fetch or pack it again, or take it out of the source; zip and tar (.gz, .zst, .bz2, .xz) can be read",
    )
