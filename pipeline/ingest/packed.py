"""Packed files, unpacked as a stream, with a bound on how much may come out."""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, Protocol, cast

import pyarrow as pa

from pipeline.errors import InputError

__all__ = ["CODECS", "Bound", "Reader", "check_plain", "codec_of", "unpacked", "unpacking"]

CODECS = {
    ".gz": "gzip",
    ".tgz": "gzip",
    ".zst": "zstd",
    ".tzst": "zstd",
    ".bz2": "bzip2",
    ".tbz2": "bzip2",
    ".xz": "xz",
    ".txz": "xz",
}
"""A file's suffix → how it is packed."""

FREE = 64 << 20
"""Bytes that any file may unpack to, however small it is."""

_MAGIC = {
    rb"\x1f\x8b\x08": ("gzip", ".gz"),
    rb"\x28\xb5\x2f\xfd": ("zstd", ".zst"),
    rb"BZh[1-9]1AY&SY": ("bzip2", ".bz2"),
    rb"\xfd7zXZ\x00": ("xz", ".xz"),
    rb"PK\x03\x04": ("zip", ".zip"),
    rb"PAR1\x15": ("Parquet", ".parquet"),
}
"""How packed files begin (RFC 1952, RFC 8878, the formats of bzip2, xz, zip and Parquet); no row of text begins so."""

_TESTS = {"gzip": "gzip --test", "zstd": "zstd --test", "bzip2": "bzip2 --test", "xz": "xz --test"}


class Reader(Protocol):
    """Something that bytes are read from."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; none at the end."""
        ...


def codec_of(name: str) -> str | None:
    """How a file is packed, by its name; None for a plain one."""
    if "://" in name:
        name = name.partition("?")[0]
    return next((codec for suffix, codec in CODECS.items() if name.lower().endswith(suffix)), None)


def check_plain(first: bytes, location: str) -> None:
    """Refuse a file of rows that is packed, though its name does not say so: it would be one bad row for a million.

    Args:
        first: the file's first bytes.
        location: of the file.

    Raises:
        InputError: it is packed.
    """
    for magic, (kind, suffix) in _MAGIC.items():
        if re.match(magic, first):
            raise InputError(
                f"the file is {kind}, though its name does not say so",
                where=location,
                mend=f"give it a name that ends with {suffix}",
            )


def unpacked(stream: BinaryIO, codec: str, location: str, *, most: int) -> Reader:
    """Read what is packed in a stream.

    Args:
        stream: of a packed file, at the beginning of what is wanted.
        codec: a value of `CODECS`.
        location: of the file, for messages.
        most: bytes that may come out: at least `FREE` is.
    """
    reader: Reader
    if codec == "zstd":
        reader = pa.CompressedInputStream(pa.PythonFile(stream, "r"), "zstd")
    else:
        opened = {"gzip": gzip.GzipFile, "bzip2": bz2.BZ2File, "xz": lzma.LZMAFile}[codec]
        reader = cast(Reader, opened(stream, "rb") if codec != "gzip" else gzip.GzipFile(fileobj=stream, mode="rb"))
    return _Bounded(reader, Bound(location, most))


@contextmanager
def unpacking(location: str) -> Iterator[None]:
    """Turn what a damaged file makes of its reader into an error for people.

    Raises:
        InputError: the file is damaged.
    """
    codec = codec_of(location)
    try:
        yield
    except (EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError) as error:
        raise _damaged(location, codec, error) from None
    except OSError as error:
        if codec is None or error.errno is not None:
            raise
        raise _damaged(location, codec, error) from None


class Bound:
    """Gives up when more comes out of a file than any honest one holds.

    Args:
        location: of the file, for messages.
        most: bytes that may come out: at least `FREE` is.
    """

    def __init__(self, location: str, most: int) -> None:
        self._location = location
        self._left = self._most = max(FREE, most)

    def add(self, size: int) -> None:
        """Count what came out.

        Raises:
            InputError: it is too much.
        """
        self._left -= size
        self.expect(0)

    def expect(self, size: int) -> None:
        """Say how much is to come out next.

        Raises:
            InputError: it would be too much.
        """
        if size > self._left:
            raise InputError(
                f"it unpacks to more than {self._most:,} bytes, which looks like a decompression bomb",
                where=self._location,
                mend="take it out of the source; if it is meant to be like that, raise the source's `max_expansion`",
            )


class _Bounded:
    """A reader that gives up when more comes out than any honest file holds."""

    def __init__(self, reader: Reader, bound: Bound) -> None:
        self._reader = reader
        self._bound = bound

    def read(self, size: int, /) -> bytes:
        data = self._reader.read(size)
        self._bound.add(len(data))
        return data


def _damaged(location: str, codec: str | None, error: Exception) -> InputError:
    suffix = next((suffix for suffix, its in CODECS.items() if its == codec), "packed")
    test = f" (`{_TESTS[codec]} {location}` must be silent)" if codec else ""
    return InputError(
        f"the {suffix} file is damaged: {error}",
        where=location,
        mend=f"fetch or pack the file again{test}, or take it out of the source",
    )
