"""The CUDA engine: the operations of every engine, their loops over rows run on a GPU.

Arrow columns in, Arrow columns and NumPy arrays out, the CPU engine's bits. Nothing is initialised on a device before
the first operation. `docs/cuda.md` says how rows are spread over threads and what stays on the host.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from typing import ParamSpec, TypeVar

import numpy as np
import pyarrow as pa

from pipeline.engines import CLEANERS, ENTITIES, cpu
from pipeline.engines.columns import from_arrow
from pipeline.engines.cuda.launch import Gpu
from pipeline.engines.cuda.parquet import decoded
from pipeline.engines.launch import launched_by

__all__ = [
    "CLEANERS",
    "ENTITIES",
    "GPU",
    "band_keys",
    "clean",
    "clean_until_stable",
    "combine",
    "compare_buckets",
    "count_words",
    "cut_shared",
    "cut_spans",
    "decode_parquet",
    "digest",
    "digest_spans",
    "find_entities",
    "find_ngrams",
    "fingerprints",
    "follow",
    "hash_ngrams",
    "join",
    "left_to_host",
    "ngram_table",
    "normalise",
    "place_words",
    "read_bytes",
    "read_lines",
    "redact",
    "redact_json",
    "replace",
    "shingles",
    "signals",
    "similarity",
    "sketch",
    "slice_bytes",
    "stretches",
    "tally_windows",
]

GPU = Gpu()
"""What runs the loops."""

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def _there(operation: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    @wraps(operation)
    def run(*arguments: Arguments.args, **named: Arguments.kwargs) -> Result:
        with launched_by(GPU):
            return operation(*arguments, **named)

    return run


band_keys = _there(cpu.band_keys)
clean = _there(cpu.clean)
clean_until_stable = _there(cpu.clean_until_stable)
combine = _there(cpu.combine)
compare_buckets = _there(cpu.compare_buckets)
count_words = _there(cpu.count_words)
cut_shared = _there(cpu.cut_shared)
cut_spans = _there(cpu.cut_spans)
digest = _there(cpu.digest)
digest_spans = _there(cpu.digest_spans)
find_entities = _there(cpu.find_entities)
find_ngrams = _there(cpu.find_ngrams)
fingerprints = _there(cpu.fingerprints)
hash_ngrams = _there(cpu.hash_ngrams)
join = _there(cpu.join)
ngram_table = _there(cpu.ngram_table)
normalise = _there(cpu.normalise)
place_words = _there(cpu.place_words)
read_lines = _there(cpu.read_lines)
redact = _there(cpu.redact)
redact_json = _there(cpu.redact_json)
replace = _there(cpu.replace)
shingles = _there(cpu.shingles)
signals = _there(cpu.signals)
similarity = _there(cpu.similarity)
sketch = _there(cpu.sketch)
stretches = _there(cpu.stretches)
tally_windows = _there(cpu.tally_windows)

slice_bytes = 256 << 20
"""Enough rows at a time to have a thread for each of many; a few times this lies in device memory."""

read_bytes = 64 << 20
"""As many lines are read at once; the host holds them."""


def follow(
    result: pa.LargeStringArray, sources: Sequence[pa.LargeStringArray], places: Callable[[], np.ndarray]
) -> None:
    """Put the device's copies together as the host put its texts together."""
    GPU.follow(from_arrow(result), [from_arrow(one) for one in sources], places())


def decode_parquet(path: str, group: int, columns: Sequence[str]) -> Iterator[dict[str, pa.LargeStringArray]]:
    """Have cuDF decode, where it is there; the texts' bytes stay on the device for the operations."""
    return decoded(path, group, columns, GPU)


def left_to_host() -> dict[str, int]:
    """Rows that operations computed on the host since this was last asked: reason → rows."""
    left = dict(GPU.left)
    GPU.left.clear()
    return left
