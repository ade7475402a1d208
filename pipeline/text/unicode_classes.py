"""What a character is: a table of Unicode's classes, indexed by code point.

The general categories are those of the Unicode version in `unicode_data`, whatever the Python that runs, so that a
text has the same signals everywhere. `UNSPACED` letters are those of scripts written without spaces between words: Han,
Hiragana, Katakana, Thai, Lao, Khmer, Myanmar.
"""

from __future__ import annotations

import base64
import zlib

import numpy as np

from pipeline.text.kernel import declare, int64
from pipeline.text.two_level import two_level
from pipeline.text.unicode_data import RUNS, UNICODE_VERSION

__all__ = ["UNICODE_VERSION", "code_point", "flags_of"]

LETTER = 1 << 0  # general category L
NUMBER = 1 << 1  # N
DIGIT = 1 << 2  # Nd
MARK = 1 << 3  # Mn, Mc
UNSPACED = 1 << 4  # a letter of a script without spaces
SPACE = 1 << 5  # str.isspace
BREAK = 1 << 6  # where str.splitlines parts
PLAIN = 1 << 7  # neither punctuation nor terminal for datatrove
TERMINAL = 1 << 8  # ends a sentence
ANYWHERE = 1 << 9  # ends one without whitespace behind it
CLOSING = 1 << 10  # closing quotes and brackets: Pe, Pf, " and '
BULLET = 1 << 11
PARENTHESIS = 1 << 12


def _table() -> np.ndarray:
    runs = np.frombuffer(zlib.decompress(base64.b85decode(RUNS.replace("\n", ""))), "<u4").reshape(-1, 2)
    return np.repeat(runs[:, 1], np.diff(runs[:, 0], append=0x110000)).astype(np.uint16)


_FLAGS = _table()
ASCII = _FLAGS[:128].copy()
"""uint16 (128): the flags of ASCII's characters."""
KIND = np.where(_FLAGS[:256] & LETTER, 1, np.where(_FLAGS[:256] & NUMBER, 2, 0)).astype(np.uint8)
KIND[128:] = 0
"""uint8 (256): of every byte, 1 for a letter of ASCII, 2 for a digit, else 0."""
ROW_OF, ROWS = two_level(_FLAGS)
"""The flags of every code point."""


@declare("int64(int64)")
def flags_of(code: int) -> int:
    """Return the flags of a code point."""
    return int64(ROWS[int64(ROW_OF[code >> 8]) * 256 + (code & 255)])


@declare("int64(uint8[::1], int64, int64)")
def code_point(buffer: np.ndarray, at: int, end: int) -> int:
    """Return the code point that is encoded at `at`, or -1 where no whole UTF-8 sequence stands.

    A surrogate's sequence counts as whole; its flags are those of a character that is none.
    """
    first = int64(buffer[at])
    if first < 0x80:
        return first
    if first < 0xC2 or first > 0xF4:
        return -1
    more = 1 if first < 0xE0 else 2 if first < 0xF0 else 3
    if at + more >= end:
        return -1
    code = first & (0x3F >> more)
    for k in range(at + 1, at + 1 + more):
        byte = int64(buffer[k])
        if byte & 0xC0 != 0x80:
            return -1
        code = code << 6 | byte & 0x3F
    shortest = 0x80 if more == 1 else 0x800 if more == 2 else 0x10000
    return code if shortest <= code < 0x110000 else -1
