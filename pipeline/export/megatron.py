r"""Megatron's `.bin` and `.idx`: raw tokens, and an index of sequences and documents.

Layout (little endian, nothing aligned): `MMIDIDX\0\0`, `<Q` version 1, `<B` code of the type, `<Q` sequences S, `<Q`
documents + 1, then int32 lengths, int64 byte offsets into `.bin`, int64 document borders in sequences (first 0, last
S). A document is one example, and one sequence.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.export.stream import examples, narrowed
from pipeline.pack.bins import Bins
from pipeline.pack.token_files import MEGATRON_MAGIC, MEGATRON_TYPES

__all__ = ["write_megatron"]

_UINT16_VOCABULARY = 65_500
"""Megatron's bound (`DType.optimal_dtype`): a vocabulary below it is stored in uint16, else in int32."""


def write_megatron(folder: Path, splits: Mapping[str, Bins], *, vocab_size: int) -> dict[str, dict[str, Any]]:
    """Write `{split}.bin` and `{split}.idx` into `folder`; a split without examples has none.

    Returns:
        What was written, by split.

    Raises:
        InputError: a token id does not fit the type.
    """
    dtype: type[np.integer[Any]] = np.uint16 if vocab_size < _UINT16_VOCABULARY else np.int32
    counts = {}
    for split, bins in splits.items():
        _, lengths = bins.places()
        if not len(lengths):
            continue
        tokens = 0
        with (folder / f"{split}.bin").open("wb") as file:
            for batch in examples(bins):
                file.write(narrowed(batch.tokens, dtype).tobytes())
                tokens += len(batch.tokens)
        with (folder / f"{split}.idx").open("wb") as file:
            code = next(code for code, kind in MEGATRON_TYPES.items() if kind is dtype)
            file.write(MEGATRON_MAGIC + struct.pack("<QBQQ", 1, code, len(lengths), len(lengths) + 1))
            file.write(lengths.astype("<i4").tobytes())
            file.write(((np.cumsum(lengths) - lengths) * np.dtype(dtype).itemsize).astype("<i8").tobytes())
            file.write(np.arange(len(lengths) + 1, dtype="<i8").tobytes())
        counts[split] = {"documents": len(lengths), "tokens": tokens, "type": np.dtype(dtype).name}
    return counts
