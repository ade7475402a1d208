"""What a character is to a word, and what stands for it when words are compared.

A text's *folded characters* are those of NFKD(casefold(NFKD(text))). Each character of the text has its own, whatever
stands beside it (marks that Unicode would reorder are left out of words), so a word's place in the text is known
exactly, and the words of a text do not depend on its normalisation form, its case or its accents.
"""

from __future__ import annotations

import base64
import zlib

import numpy as np

from pipeline.text.kernel import declare, int64
from pipeline.text.two_level import two_level
from pipeline.text.word_fold_data import LONGER as LONGER_DATA
from pipeline.text.word_fold_data import RUNS

__all__ = ["ASCII", "INSIDE", "ITEMS", "LONGER", "OWN", "SEPARATOR", "TRANSPARENT", "fold_of"]

SEPARATOR = 0
"""Between words: white space, punctuation, symbols, controls."""
INSIDE = 1
"""Of a word: a letter, a number, a mark that Unicode does not reorder."""
OWN = 2
"""A word by itself: a letter of a script without spaces."""
TRANSPARENT = 3
"""Nothing, within a word too: accents, and characters that nobody sees."""
LONGER = 4
"""Several folded characters: entries of `ITEMS`."""


def _unpacked(text: str) -> np.ndarray:
    return np.frombuffer(zlib.decompress(base64.b85decode(text.replace("\n", ""))), "<i4").astype(np.int32)


def _table() -> np.ndarray:
    lengths, changes = _unpacked(RUNS).reshape(2, -1)
    starts = np.cumsum(lengths)
    return np.repeat(np.cumsum(changes, dtype=np.int32), np.diff(starts, append=0x110000))


_ENTRIES = _table()
ASCII = _ENTRIES[:128].copy()
"""int32 (128): the entries of ASCII."""
ROW_OF, ROWS = two_level(_ENTRIES)
"""int32 (256 r): entries; the kind in the low three bits, above them by how much the folded character is larger."""
ITEMS = _unpacked(LONGER_DATA)
"""int32: how many folded characters, then of each the kind in the low three bits and the code point above them."""


@declare("int64(int64)")
def fold_of(code: int) -> int:
    """Return the entry of a code point: its kind in the low three bits.

    Above them is what must be added for the folded character, or, of `LONGER`, the place in `ITEMS`.
    """
    return int64(ROWS[int64(ROW_OF[code >> 8]) * 256 + (code & 255)])
