"""NanoGPT's `.bin` shards, with the legacy header or the current one, and `.bos.idx`.

Layout: 256 int32 (1024 bytes), then the tokens. Legacy (llm.c, modded-nanogpt): 20240520, version 1, tokens; uint16.
Current (NeMo AutoModel): 278895051, version 1, tokens, bytes a token (2 or 4). A document begins with its boundary
token. `.bos.idx` holds the int32 positions of the boundaries *in tokens*: the one meaning that AutoModel's reader uses
rightly, though its writer and its documentation say bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import InputError
from pipeline.export.stream import Examples, examples, narrowed
from pipeline.pack.bins import Bins
from pipeline.pack.token_files import CURRENT, HEADER_BYTES, LEGACY

__all__ = ["write_nanogpt"]

_FILE_TOKENS = 1 << 27
"""A file holds about as many; the header counts to 2³¹ - 1, and AutoModel reads files below 2³² bytes."""


def write_nanogpt(
    folder: Path, splits: Mapping[str, Bins], *, vocab_size: int, boundary: int, header: Literal["current", "legacy"]
) -> dict[str, dict[str, Any]]:
    """Write `{split}_000000.bin` … and their `.bos.idx` into `folder`.

    Args:
        folder: exists.
        splits: the bins.
        vocab_size: decides between uint16 and uint32.
        boundary: the token that begins a document (`boundary.boundary_of`); put in front of an example that does not
            begin with it.
        header: `legacy` holds uint16 only.

    Returns:
        What was written, by split.

    Raises:
        InputError: the vocabulary does not fit the legacy header.
    """
    wide = vocab_size > 1 << 16
    if wide and header == "legacy":
        raise InputError(
            f"a vocabulary of {vocab_size} tokens does not fit the legacy header, whose tokens are uint16",
            where="--header legacy",
            mend="use the current header: `--header current`",
        )
    dtype: type[np.integer[Any]] = np.uint32 if wide else np.uint16
    counts = {}
    for split, bins in splits.items():
        documents = tokens = added = files = 0
        shard: _Shard | None = None
        for batch in examples(bins):
            begun, missing = _with_boundaries(batch, boundary)
            if shard is None or shard.tokens + len(begun.tokens) > _FILE_TOKENS:
                if shard is not None:
                    shard.close()
                shard = _Shard(folder / f"{split}_{files:06d}.bin", dtype, header)
                files += 1
            shard.write(begun)
            documents, tokens, added = documents + len(begun.lengths), tokens + len(begun.tokens), added + missing
        if shard is not None:
            shard.close()
            counts[split] = {
                "documents": documents,
                "tokens": tokens,
                "boundaries_added": added,
                "files": files,
                "type": np.dtype(dtype).name,
            }
    return counts


class _Shard:
    """One `.bin` and its `.bos.idx`, written as the documents come; the header last, when they are counted."""

    def __init__(self, path: Path, dtype: type[np.integer[Any]], header: Literal["current", "legacy"]) -> None:
        self.tokens = 0
        self._path, self._dtype, self._header = path, dtype, header
        self._marks: list[NDArray[np.int64]] = []
        self._file = path.open("wb")
        self._file.seek(HEADER_BYTES)

    def write(self, batch: Examples) -> None:
        self._file.write(narrowed(batch.tokens, self._dtype).tobytes())
        self._marks.append(self.tokens + batch.starts)
        self.tokens += len(batch.tokens)

    def close(self) -> None:
        size = np.dtype(self._dtype).itemsize
        about = [CURRENT, 1, self.tokens, size] if self._header == "current" else [LEGACY, 1, self.tokens]
        with self._file as file:
            file.seek(0)
            file.write(np.array([*about, *[0] * (HEADER_BYTES // 4 - len(about))], "<i4").tobytes())
        self._path.with_suffix(".bos.idx").write_bytes(np.concatenate(self._marks).astype("<i4").tobytes())


def _with_boundaries(batch: Examples, boundary: int) -> tuple[Examples, int]:
    """The examples, each beginning with `boundary`, and how many had to be given one; bins are of no account here."""
    starts = batch.starts
    missing = batch.tokens[starts] != boundary
    tokens = np.insert(batch.tokens, starts[missing], boundary)
    return batch._replace(tokens=tokens, lengths=batch.lengths + missing), int(missing.sum())
