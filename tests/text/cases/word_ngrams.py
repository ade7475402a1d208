"""N-grams of words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tests.text.cases.rows import as_row, as_rows

__all__ = ["cases"]

LONG = "Ünï ½ e\u0301 한국어 ㍿ 株 ﷺ don't STRASSE straße \u00adx\u200dy the cat sat on the mat, the cat sat.".encode()


def cases() -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield (kernel, arguments)."""
    for row in (*as_rows(), as_row(LONG), as_row(LONG[:-7] + b"\xe2\x80")):
        yield "word_ngrams.scan_words", scan(row, [], at=0)
        for lengths in ([1], [3], [2, 3, 7]):
            yield "word_ngrams.scan_words", scan(row, lengths, at=-1)
            yield "word_ngrams.scan_words", scan(row, lengths, at=0)
        yield "word_ngrams.scan_words", scan(as_row(LONG), [2, 3], at=0, table=True)
    for code in (0, 0x41, 0xAD, 0xBD, 0xC9, 0x301, 0x3042, 0x4E00, 0xAC01, 0xFDFA, 0x1F600, 0x1D400, 0x10FFFF):
        yield "word_fold.fold_of", (code,)


def scan(row: Any, lengths: list[int], *, at: int, table: bool = False) -> tuple[Any, ...]:
    """Arguments that leave room for all that may be written; a table holds any n-gram whose first bits it has."""
    first = np.zeros(64, np.uint64) if table else np.empty(0, np.uint64)
    second = first.copy()
    if table:
        first[::3] = np.arange(22, dtype=np.uint64) + np.uint64(1)
    for array in (first, second):
        array.flags.writeable = False
    powers = np.arange(3, 3 + 2 * len(lengths), dtype=np.uint64) | np.uint64(1)
    hashes, places = np.zeros(1024, np.uint64), np.zeros(1024, np.int64)
    return *row, np.array(lengths, np.int64), powers, np.zeros(16, np.uint64), first, second, at, hashes, places
