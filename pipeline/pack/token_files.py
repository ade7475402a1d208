"""Documents of tokens in other trainers' files: Megatron's `.bin`/`.idx`, NanoGPT's `.bin`. Layouts: `pipeline.export`.

Files are mapped: a document's tokens are read when they are asked for.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import InputError

__all__ = [
    "CURRENT",
    "HEADER_BYTES",
    "LEGACY",
    "MEGATRON_MAGIC",
    "MEGATRON_TYPES",
    "TokenFile",
    "open_megatron",
    "open_nanogpt",
]

MEGATRON_MAGIC = b"MMIDIDX\x00\x00"
MEGATRON_TYPES: dict[int, type[np.integer]] = {
    1: np.uint8,
    2: np.int8,
    3: np.int16,
    4: np.int32,
    5: np.int64,
    8: np.uint16,
}
"""Integers by their code in an `.idx` (6 and 7 are floating point, which no token is)."""
LEGACY, _LEGACY_WIDE, CURRENT = 20240520, 20240801, 278895051
"""Magic numbers of NanoGPT's headers."""
HEADER_BYTES = 1024


class TokenFile:
    """Documents in their order, each a list of pieces of one array of tokens."""

    def __init__(
        self,
        path: Path,
        tokens: NDArray[np.integer],
        *,
        begin: NDArray[np.int64],
        length: NDArray[np.int64],
        first: NDArray[np.int64],
    ) -> None:
        """Describe the documents of a file.

        Args:
            path: of the file, for messages and ids.
            tokens: all of them, shape (T,).
            begin: where each piece begins in `tokens`, shape (pieces,).
            length: tokens of each piece, shape (pieces,).
            first: the first piece of each document, and one past the last; shape (documents + 1,).
        """
        self.path = path
        self._tokens, self._begin, self._length, self._first = tokens, begin, length, first
        before = np.concatenate([[0], np.cumsum(length)])
        self.lengths: NDArray[np.int64] = np.diff(before[first])
        """Tokens of each document, shape (documents,)."""

    def __len__(self) -> int:
        return len(self._first) - 1

    def read(self, document: int) -> NDArray[np.uint32]:
        """The tokens of a document.

        Raises:
            InputError: a negative id.
        """
        pieces = range(int(self._first[document]), int(self._first[document + 1]))
        found = [self._tokens[self._begin[piece] : self._begin[piece] + self._length[piece]] for piece in pieces]
        tokens = np.concatenate(found) if found else np.empty(0, np.uint32)
        if len(tokens) and int(tokens.min()) < 0:
            raise InputError(
                f"token id {int(tokens.min())} is negative",
                where=f"{self.path}, document {document}",
                mend="the file is damaged, or was written in another type than its index says",
            )
        return tokens.astype(np.uint32)


def open_megatron(prefix: Path) -> TokenFile:
    """Map `prefix.bin` and `prefix.idx`; a path that ends in `.bin` or `.idx` names its prefix.

    Raises:
        InputError: one of the two is missing, or they are damaged.
    """
    if prefix.suffix in (".bin", ".idx"):
        prefix = prefix.with_suffix("")
    data, index = Path(f"{prefix}.bin"), Path(f"{prefix}.idx")
    for path in (data, index):
        if not path.is_file():
            raise _damaged("there is no such file", path, "a Megatron prefix names two files, `.bin` and `.idx`")
    raw = index.read_bytes()
    if raw[:9] != MEGATRON_MAGIC or len(raw) < 34:
        raise _damaged("this is not a Megatron index: it does not begin with MMIDIDX", index)
    version, code, sequences, documents = struct.unpack("<QBQQ", raw[9:34])
    if version != 1 or code not in MEGATRON_TYPES:
        raise _damaged(f"version {version} and type {code} are not known", index, "version 1 holds integers")
    kind = np.dtype(MEGATRON_TYPES[code])
    if len(raw) - 34 not in (12 * sequences + 8 * documents, 13 * sequences + 8 * documents):
        raise _damaged(
            f"an index of {sequences} sequences and {documents - 1} documents is not {len(raw)} bytes", index
        )
    # Nothing is aligned: `frombuffer` copies where it must.
    length = np.frombuffer(raw, "<i4", sequences, 34).astype(np.int64)
    begin = np.frombuffer(raw, "<i8", sequences, 34 + 4 * sequences).astype(np.int64)
    first = np.frombuffer(raw, "<i8", documents, 34 + 12 * sequences).astype(np.int64)
    size = data.stat().st_size
    ends = begin + length * kind.itemsize
    bad = (length < 0).any() or (begin < 0).any() or (ends > size).any() or (begin % kind.itemsize).any()
    if bad or not len(first) or first[0] != 0 or first[-1] != sequences or (np.diff(first) < 0).any():
        raise _damaged(f"the index points outside its {size} bytes of tokens, or its documents are out of order", index)
    tokens = np.memmap(data, kind.newbyteorder("<"), "r") if size else np.empty(0, kind)
    return TokenFile(data, tokens, begin=begin // kind.itemsize, length=length, first=first)


def open_nanogpt(path: Path, *, boundary: int) -> TokenFile:
    """Map one shard; a document begins at each `boundary` token, and what stands before the first is one too.

    `.bos.idx` is not read: writers disagree about what its numbers mean.

    Raises:
        InputError: it is missing, has an unknown header, or is damaged.
    """
    if not path.is_file():
        raise _damaged("there is no such file", path)
    size = path.stat().st_size
    with path.open("rb") as file:
        header = np.frombuffer(file.read(16).ljust(16, b"\0"), "<i4")
    magic, version, count, width = (int(value) for value in header)
    known = {(LEGACY, 1): 2, (_LEGACY_WIDE, 7): 4, (CURRENT, 1): width}
    if (magic, version) not in known or known[magic, version] not in (2, 4):
        raise _damaged(
            f"the header is not known: magic {magic}, version {version}",
            path,
            f"{LEGACY} (llm.c), {_LEGACY_WIDE} (llm.c, Llama 3) and {CURRENT} (NeMo AutoModel) are; a file without a "
            "header cannot be told from anything else",
        )
    item = known[magic, version]
    if size != HEADER_BYTES + item * count:
        raise _damaged(
            f"the header says {count} tokens of {item} bytes, and the file has {size - HEADER_BYTES} bytes", path
        )
    tokens = np.memmap(path, "<u2" if item == 2 else "<u4", "r", HEADER_BYTES) if count else np.empty(0, np.uint16)
    begin = np.flatnonzero(tokens == boundary).astype(np.int64)
    if count and (not len(begin) or begin[0] != 0):
        begin = np.concatenate([[0], begin])
    length = np.diff(np.append(begin, count))
    return TokenFile(path, tokens, begin=begin, length=length, first=np.arange(len(begin) + 1))


def _damaged(what: str, path: Path, mend: str = "write the file again, or leave it out") -> InputError:
    return InputError(what, where=str(path), mend=mend)
