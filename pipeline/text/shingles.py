"""Shingles: the hashes of a text's windows of so many characters, or words.

A window is hashed as a polynomial of its tokens. A character's token is its code point + 1, so that a window of ASCII
has one hash whether it is taken for bytes (`sketch.fill`, which is faster) or for characters; a word's is a hash of
its bytes. In a normal form, words are what stands between spaces: of a script without spaces, a whole clause.
"""

from __future__ import annotations

import numpy as np

from pipeline.text.hashing import FACTOR, mix
from pipeline.text.kernel import declare, int64
from pipeline.text.normalise import STRIDE, character, character_width

__all__ = ["CHARACTERS", "SCRATCH", "WORDS", "beyond_ascii", "clear_window", "next_token", "power", "write_shingles"]

CHARACTERS = 1
WORDS = 2

SCRATCH = 3
"""A window's scratch: the tokens in it, and so many more: the window's hash, what a token that leaves it is multiplied
by, and how many tokens there were."""

ONE = np.uint64(1)


@declare("int64(uint8[::1], int64, int64, int64, int64, uint64[::1], uint64[::1], int64)")
def write_shingles(
    buffer: np.ndarray,
    start: int,
    end: int,
    unit: int,
    width: int,
    window: np.ndarray,
    output: np.ndarray,
    at: int,
) -> int:
    """Write the hash of every shingle of the row, and return how many there are: no more than the row has bytes.

    Args:
        buffer: Bytes of the column; the row is `[start, end)`.
        start: Its first byte.
        end: One past its last byte.
        unit: `CHARACTERS` or `WORDS`.
        width: Of them in a shingle; a shorter text is one shingle, an empty one has none.
        window: Scratch, `width + SCRATCH` values.
        output: Where to write.
        at: Where in `output`.
    """
    clear_window(window, width)
    count = 0
    i = start
    while i < end:
        i = next_token(buffer, i, end, unit, width, window)
        if window[width + 2] >= np.uint64(width) or i >= end:
            output[at + count] = window[width]
            count += 1
    return count


@declare("int64(uint64[::1], int64)")
def clear_window(window: np.ndarray, width: int) -> int:
    """Begin a text; return the length of the scratch."""
    for k in range(width + SCRATCH):
        window[k] = np.uint64(0)
    window[width + 1] = power(width)
    return width + SCRATCH


@declare("int64(uint8[::1], int64, int64, int64, int64, uint64[::1])", inline=True)
def next_token(buffer: np.ndarray, at: int, end: int, unit: int, width: int, window: np.ndarray) -> int:
    """Move the window on by the token at `at`, and return where the next one begins; arguments as of `write_shingles`.

    `window[width]` is then the hash of the last `width` tokens, or of all where there were fewer.
    """
    if unit == WORDS:
        word = np.uint64(0)
        while at < end and buffer[at] != 32:
            word = word * FACTOR + np.uint64(buffer[at]) + ONE
            at += 1
        token = mix(word)
        at += 1
    else:
        code = int64(buffer[at]) if buffer[at] < 0x80 else character(buffer, at, end)
        token = np.uint64(code + 1)
        at += character_width(int64(buffer[at]))
    place = int64(window[width + 2] % np.uint64(width))
    window[width] = window[width] * FACTOR + token - window[place] * window[width + 1]
    window[place] = token
    window[width + 2] += ONE
    return at


@declare("int64(uint8[::1], int64, int64)")
def beyond_ascii(buffer: np.ndarray, start: int, end: int) -> int:
    """Return 1 if the row holds a byte that is not ASCII."""
    i = start
    while i < end:
        until = min(i + STRIDE, end)
        high = 0
        for k in range(i, until):
            high |= int64(buffer[np.uint64(k)])
        if high >= 0x80:
            return 1
        i = until
    return 0


@declare("uint64(int64)")
def power(width: int) -> np.uint64:
    """Return the factor of a token that leaves a window of `width`."""
    out = np.uint64(1)
    for _ in range(width):
        out *= FACTOR
    return out
