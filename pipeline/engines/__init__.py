"""Engines: a text column out of a table, a kernel over every row, the answer back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Literal, Protocol, get_args

import numpy as np
import pyarrow as pa

from pipeline.config.clean import Cleaner
from pipeline.engines.phones import COUNTRIES
from pipeline.engines.plain_lines import PlainLines
from pipeline.engines.redaction import Finder, Redaction
from pipeline.engines.spans import Spans
from pipeline.engines.stand_ins import StandIns
from pipeline.engines.stretches import Stretches
from pipeline.engines.word_ngrams import FoundNgrams, Ngrams, NgramTable, WordPlaces
from pipeline.gpus import choose
from pipeline.text.entities import ENTITIES

__all__ = ["CLEANERS", "CLEANING_ROUNDS", "ENTITIES", "Engine", "engine_for"]

CLEANERS: tuple[str, ...] = get_args(Cleaner)
"""The cleaners, in the order in which they run; `docs/clean.md` says what each does."""

CLEANING_ROUNDS = 16
"""How often cleaners run over a row at most. Real rows settle in two or three; nested markup takes one a level."""


class Engine(Protocol):
    """What every engine offers; `pipeline.engines.operations` documents each operation."""

    slice_bytes: int
    """Bytes of rows that it is best given at once."""

    read_bytes: int
    """Bytes of JSON lines that it is best given at once; 0 where they are best read as they come."""

    def follow(
        self, result: pa.LargeStringArray, sources: Sequence[pa.LargeStringArray], places: Callable[[], np.ndarray]
    ) -> None:
        """Have copies that are kept elsewhere follow: text k of `result` is text `places()[k]` of all sources."""

    def left_to_host(self) -> dict[str, int]:
        """Say which rows a GPU's engine left to the host since this was last asked: reason → rows."""

    def clean(self, contents: pa.LargeStringArray, cleaners: Sequence[str]) -> pa.LargeStringArray:
        """Clean every text."""

    def clean_until_stable(
        self, contents: pa.LargeStringArray, cleaners: Sequence[str]
    ) -> tuple[pa.LargeStringArray, np.ndarray]:
        """Clean every text, and say which ones came to rest."""

    def read_lines(self, buffer: np.ndarray, starts: np.ndarray, ends: np.ndarray, keys: Sequence[bytes]) -> PlainLines:
        """Read rows whose texts stand under known keys of JSON lines."""

    def decode_parquet(self, path: str, group: int, columns: Sequence[str]) -> Iterator[dict[str, pa.LargeStringArray]]:
        """Decode columns of strings of a row group, nulls included, some rows at a time, as far as this engine does."""

    def find_entities(
        self, texts: pa.LargeStringArray, entities: Sequence[str], *, countries: Sequence[str] = COUNTRIES
    ) -> Spans:
        """Find personal data."""

    def replace(self, texts: pa.LargeStringArray, spans: Spans, values: pa.LargeStringArray) -> pa.LargeStringArray:
        """Put other texts in the place of spans."""

    def redact(
        self,
        texts: pa.LargeStringArray,
        entities: Sequence[str],
        *,
        countries: Sequence[str] = COUNTRIES,
        also: Finder | None = None,
        stand_ins: StandIns | None = None,
        rows: np.ndarray | None = None,
    ) -> Redaction:
        """Put stand-ins in place of personal data, and count it."""

    def redact_json(
        self,
        texts: pa.LargeStringArray,
        entities: Sequence[str],
        *,
        countries: Sequence[str] = COUNTRIES,
        also: Finder | None = None,
        stand_ins: StandIns | None = None,
        rows: np.ndarray | None = None,
    ) -> Redaction:
        """Put stand-ins in place of personal data in the strings of JSON texts, and count it."""

    def join(self, messages: pa.ListArray) -> pa.LargeStringArray:
        """Make one text of every row's messages."""

    def signals(self, texts: pa.LargeStringArray, families: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """Measure every text."""

    def normalise(self, texts: pa.LargeStringArray) -> pa.LargeStringArray:
        """Bring every text into its normal form."""

    def digest(self, texts: pa.LargeStringArray, *, normalised: bool = False) -> np.ndarray:
        """Take the digest of every text's normal form."""

    def combine(self, digests: np.ndarray, bounds: np.ndarray) -> np.ndarray:
        """Take one digest of each run of digests."""

    def sketch(
        self,
        normalised: pa.LargeStringArray,
        *,
        values: int = 128,
        shingle: int = 5,
        unit: Literal["characters", "words"] = "characters",
    ) -> np.ndarray:
        """Take the sketch of every normal form."""

    def fingerprints(
        self,
        texts: pa.LargeStringArray,
        *,
        digests: bool,
        values: int = 0,
        shingle: int = 5,
        unit: Literal["characters", "words"] = "characters",
    ) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Take digests, sketches or both of normal forms that nobody else needs."""

    def shingles(
        self,
        normalised: pa.LargeStringArray,
        *,
        shingle: int = 5,
        unit: Literal["characters", "words"] = "characters",
    ) -> tuple[np.ndarray, np.ndarray]:
        """Take the set of shingles of every normal form."""

    def tally_windows(self, normalised: pa.LargeStringArray, *, width: int) -> tuple[np.ndarray, np.ndarray]:
        """Count the rows that have each window of bytes."""

    def cut_shared(self, normalised: pa.LargeStringArray, shared: np.ndarray, *, width: int) -> pa.LargeStringArray:
        """Leave out what lies in shared windows."""

    def similarity(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Estimate how alike the texts of two sketches are, pair by pair."""

    def band_keys(self, sketches: np.ndarray, bands: int, rows: int) -> np.ndarray:
        """Hash the bands of every sketch."""

    def compare_buckets(
        self,
        bounds: np.ndarray,
        ranks: np.ndarray,
        places: np.ndarray,
        sketches: np.ndarray,
        agreement: np.ndarray,
        centres: int,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Compare the rows of buckets with their centres, whose edges these are."""

    def stretches(self, texts: pa.LargeStringArray, length: int) -> Stretches:
        """Find the runs of windows with one anchor."""

    def digest_spans(self, texts: pa.LargeStringArray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
        """Take the digest of every span."""

    def cut_spans(
        self, texts: pa.LargeStringArray, rows: np.ndarray, starts: np.ndarray, ends: np.ndarray, lines: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Say what can be cut within spans."""

    def count_words(self, texts: pa.LargeStringArray) -> np.ndarray:
        """Count the words of every text."""

    def place_words(self, texts: pa.LargeStringArray) -> WordPlaces:
        """Say where the words of every text stand."""

    def hash_ngrams(self, texts: pa.LargeStringArray, length: int) -> Ngrams:
        """Hash every n-gram of the words of every text."""

    def ngram_table(self, hashes: np.ndarray, lengths: Sequence[int]) -> tuple[NgramTable, np.ndarray]:
        """Make a table of n-grams, and say where each stands in it."""

    def find_ngrams(self, texts: pa.LargeStringArray, table: NgramTable) -> FoundNgrams:
        """Find the n-grams of a table in every text."""


def engine_for(device: str) -> Engine:
    """Return the engine of a device.

    Args:
        device: `cpu`, `cuda`, or `auto`, which is a GPU where all is there that it needs (`pipeline.gpus`).

    Raises:
        MachineError: Something is missing for `cuda`.
    """
    if choose(device).device == "cuda":
        from pipeline.engines import cuda

        return cuda
    from pipeline.engines import cpu

    return cpu
