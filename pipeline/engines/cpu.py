"""The CPU engine: Arrow columns in, Arrow columns and NumPy arrays out, kernels compiled by Numba in between.

Each row is computed from its own bytes alone, in scratch that its kernel initialises, so no result depends on the
row's neighbours, on the order of rows, or on the size of a part. No Python loop runs over rows. Texts are never null;
an array may be a slice. The first call of an operation on a machine compiles it (seconds) and keeps the machine code
on disk (`NUMBA_CACHE_DIR`, else beside the source, else in the user's cache folder).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pyarrow as pa

from pipeline.engines import CLEANERS, ENTITIES
from pipeline.engines.operations.buckets import compare_buckets
from pipeline.engines.operations.clean import clean, clean_until_stable
from pipeline.engines.operations.entities import find_entities
from pipeline.engines.operations.fingerprints import (
    band_keys,
    combine,
    digest,
    fingerprints,
    normalise,
    shingles,
    similarity,
    sketch,
)
from pipeline.engines.operations.join import join
from pipeline.engines.operations.json_rows import read_lines
from pipeline.engines.operations.redact import redact
from pipeline.engines.operations.redact_json import redact_json
from pipeline.engines.operations.replace import replace
from pipeline.engines.operations.shared import cut_shared, tally_windows
from pipeline.engines.operations.signals import signals
from pipeline.engines.operations.substrings import cut_spans, digest_spans, stretches
from pipeline.engines.operations.word_ngrams import count_words, find_ngrams, hash_ngrams, ngram_table, place_words

__all__ = [
    "CLEANERS",
    "ENTITIES",
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

slice_bytes = 8 << 20
"""Few enough to stay near the processor; what an operation makes of them comes on top."""

read_bytes = 0
"""Lines are read as they come."""


def follow(
    result: pa.LargeStringArray, sources: Sequence[pa.LargeStringArray], places: Callable[[], np.ndarray]
) -> None:
    """Nothing is kept elsewhere: this is the host."""


def decode_parquet(path: str, group: int, columns: Sequence[str]) -> Iterator[dict[str, pa.LargeStringArray]]:
    """Nothing is decoded elsewhere: Arrow does it, with the other columns."""
    return iter(())


def left_to_host() -> dict[str, int]:
    """Nothing is left: this is the host."""
    return {}
