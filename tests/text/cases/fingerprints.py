"""Normal form, digest, sketch, bands."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np

from pipeline.text.shingles import CHARACTERS, SCRATCH, WORDS
from tests.text.cases.rows import TEXT, WORDS_OF_EIGHT, as_bytes, as_rows

__all__ = ["cases"]

SKETCHES = np.random.default_rng(0).integers(0, 4, (2, 16), np.uint32)


def window(width: int) -> np.ndarray:
    """Scratch in which a text has begun, two tokens long."""
    scratch = np.arange(width + SCRATCH, dtype=np.uint64)
    scratch[width + 2] = 2
    return scratch


def cases() -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield (kernel, arguments)."""
    for row in as_rows():
        yield "normalise.fold", (*row, np.zeros(256, np.uint8), 3)
        yield "normalise.needs_tables", row
        for at in range(row[1], row[2], 7):
            yield "normalise.character", (row[0], at, row[2])
        yield "digest.digest", (*row, np.zeros(2, np.uint64))
        for slots in (4, 64):
            for unit, mixed in product((CHARACTERS, WORDS), (1, 8)):
                scratch = (np.zeros(size, np.uint64) for size in (slots, mixed, 16))
                yield "sketch.sketch", (*row, unit, 4, window(4), *scratch, np.zeros(16, np.uint32))
        for unit in (CHARACTERS, WORDS):
            yield "shingles.write_shingles", (*row, unit, 3, window(3), np.zeros(256, np.uint64), 2)
        yield "shingles.beyond_ascii", row
        if row[2] > row[1]:
            yield "sketch.fill", (*row, 4, 0, -1, np.full(16, 2**64 - 1, np.uint64))
            yield "sketch.fill", (*row, 4, 20, 4, np.full(16, 2**64 - 1, np.uint64))
            for unit in (CHARACTERS, WORDS):
                yield "sketch.fill_tokens", (*row, unit, 4, window(4), 0, -1, np.full(16, 2**64 - 1, np.uint64))
                yield "shingles.next_token", (*row, unit, 4, window(4))
            for unit in (0, CHARACTERS, WORDS):
                yield "sketch.gather", (*row, unit, 4, window(4), np.zeros(64, np.uint64))
            for unit in (0, CHARACTERS):
                some = window(4), np.zeros(16, np.uint64), np.zeros(64, np.uint64)
                yield "sketch.write_narrow", (*row, unit, 4, *some, 2)
            yield "sketch.write_hashes", (*row, 4, np.zeros(256, np.uint64))
            yield "sketch.hashed", (row[0], row[1], min(4, row[2] - row[1]))
    yield "shingles.clear_window", (window(4), 4)
    for value in (7, 9):
        yield "sketch.enter", (np.uint64(value), np.array([7, *[2**64 - 1] * 3], np.uint64), 4)
    for bucket in (-1, 3):
        some = np.arange(20, dtype=np.uint64), 19, 20, bucket, np.zeros(8, np.uint64)
        yield "sketch.offer_all", (*some, np.full(16, 2**64 - 1, np.uint64))
        yield "sketch.offer", (np.uint64(77), 20, bucket, np.full(16, 2**64 - 1, np.uint64))
    yield "sketch.slide", (np.uint64(2**63 + 5), np.uint8(255), np.uint8(7), np.uint64(2**64 - 59))
    for code in (0, 0xA1, 0xB5, 0xC9, 0x301, 0x391, 0x439, 0x2014, 0x2026, 0x3042, 0x4E00, 0xFF21, 0x1F600, 0x1D400):
        yield "normalise.is_stable", (code,)
    for lead in (0, 0x80, 0xC1, 0xC2, 0xDF, 0xE0, 0xEF, 0xF0, 0xF4, 0xFF):
        yield "normalise.character_width", (lead,)
    for width in (0, 1, 8, 64):
        yield "shingles.power", (width,)
    for at in range(0, len(TEXT), 5):
        yield "load.load", (as_bytes(TEXT), at, len(TEXT))
        yield "load.blanks_at", (as_bytes(TEXT), at, len(TEXT))
    yield "load.load", (as_bytes(TEXT), len(TEXT) - 3, len(TEXT))
    for word in WORDS_OF_EIGHT:
        number = np.uint64(int.from_bytes(word, "little"))
        yield "load.is_plain", (number,)
        yield "normalise.white_of", (number,)
        for byte in (0, 10, 37, 127):
            yield "load.differ", (number, np.uint64(byte))
    for value in (0, 1, 0xDEADBEEF, 2**64 - 1):
        yield "hashing.mix", (np.uint64(value),)
        yield "digest.rotate", (np.uint64(value), 31)
    for items in (0, 1, 2, 3, 1000):
        yield "hashing.slots_for", (items,)
    yield "bands.count_equal", (SKETCHES[0].copy(), SKETCHES[1].copy())
    yield "bands.band_keys", (SKETCHES[0].copy(), 4, np.zeros(4, np.uint64))
