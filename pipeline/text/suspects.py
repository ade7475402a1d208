"""Which cleaners a row needs at all: one scan for everything that one of them would change."""

from __future__ import annotations

import numpy as np

from pipeline.text.boundaries import is_digit, is_letter
from pipeline.text.kernel import declare, int64
from pipeline.text.load import EACH, HIGH, differ, is_plain, load

__all__ = [
    "BREAK",
    "CONTROL",
    "KIND_BITS",
    "MARKDOWN",
    "MARKUP",
    "MOJIBAKE",
    "OE",
    "QUOTE",
    "SPACE",
    "TILDED",
    "UNNORMAL",
    "suspects",
]

CONTROL = 1
"""A control character or a byte order mark, for `controls.remove_controls`."""
BREAK = 2
r"""A line break other than \n."""
SPACE = 4
"""Whitespace that `whitespace.trim_whitespace` would change."""
UNNORMAL = 8
"""A character that normalisation form C may change (`NFC_Quick_Check` is not Yes, or it is a combining mark)."""
QUOTE = 16
"""A typographic quotation mark or dash."""
MOJIBAKE = 32
"""A pair of characters that hardly stands in text that was decoded as it had been encoded."""
MARKUP = 64
"""`<` or `&`."""
MARKDOWN = 128
"""`*`, `_`, `[`, or a `#` (which may begin a heading)."""
NEWLINE = 256
BEYOND = 512  # a byte that is not ASCII

KIND_BITS = 5
"""An entry of `characters` has the kind of the character in its low bits, above them its flags."""
OE, TILDED = 1, 2
"""Kinds with rules of their own: œ and Œ before what is no letter, Â and Ã before a space."""

BLOCK = 64
"""Bytes that are looked at at once."""

BYTES = np.zeros(256, np.int64)
BYTES[:32] = BYTES[127] = CONTROL
BYTES[[9]] = 0
BYTES[10] = NEWLINE
BYTES[11:14] = BREAK
BYTES[128:] = BEYOND
BYTES[list(b"<&")] = MARKUP
BYTES[list(b"*_[#")] = MARKDOWN


@declare("int64(uint8[::1], int64, int64, uint16[::1], int64[::1])")
def suspects(buffer: np.ndarray, start: int, end: int, characters: np.ndarray, follow: np.ndarray) -> int:
    r"""Return the flags of what the row holds: `CONTROL`, `BREAK`, `SPACE`, ….

    A row without a flag is one that the cleaners of this flag do not change. `BREAK` and `CONTROL` are exact, and so
    is `SPACE`; the others may be set in vain.

    Args:
        buffer: Bytes of the column; the row is `[start, end)`.
        start: Its first byte.
        end: One past its last byte.
        characters: The kind and the flags of every code point below `len(characters)`.
        follow: For each of 32 kinds the kinds (one bit each) that make it mojibake if they come next; then for each
            the ones that make it mojibake if, moreover, a letter or a digit comes after.
    """
    seen = 0
    i = start
    while i < end:
        if i >= start + 2 and i + BLOCK <= end:
            seen |= block_flags(buffer, i)
            i += BLOCK
            continue
        if i + 8 <= end and not is_telling(load(buffer, i, end)):
            i += 8
            continue
        stop = min(i + 8, end)
        while i < stop:
            byte = buffer[i]
            seen |= BYTES[byte]
            if byte == 10:
                before = buffer[i - 1] if i > start else 10
                if before == 32 or before == 9 or (before == 10 and (i < start + 2 or buffer[i - 2] == 10)):
                    seen |= SPACE
            i += 1
    if end > start:
        last = buffer[end - 1]
        if last == 10 or last == 32 or last == 9:
            seen |= SPACE
    if seen & BEYOND:
        seen |= beyond_ascii(buffer, start, end, characters, follow)
    return seen & (NEWLINE - 1)


@declare("int64(uint8[::1], int64)")
def block_flags(buffer: np.ndarray, at: int) -> int:
    """Return the flags of the `BLOCK` from `at` on, and `BEYOND`; two bytes before it are read.

    The loop has no branch, so that a compiler makes vector instructions of it.
    """
    control = breaks = space = markup = markdown = beyond = False
    for k in range(at, at + BLOCK):
        i = np.uint64(k)
        byte = buffer[i]
        before = buffer[i - np.uint64(1)]
        control |= (byte == 127) | ((byte < 32) & ((byte < 9) | (byte > 13)))
        breaks |= (byte > 10) & (byte < 14)
        blank = (before == 32) | (before == 9) | ((before == 10) & (buffer[i - np.uint64(2)] == 10))
        space |= (byte == 10) & blank
        markup |= (byte == 60) | (byte == 38)
        markdown |= (byte == 42) | (byte == 95) | (byte == 91) | (byte == 35)
        beyond |= byte > 127
    flags = (CONTROL if control else 0) | (BREAK if breaks else 0) | (SPACE if space else 0)
    return flags | (MARKUP if markup else 0) | (MARKDOWN if markdown else 0) | (BEYOND if beyond else 0)


@declare("int64(uint64)", inline=True)
def is_telling(word: np.uint64) -> int:
    """Return 1 if one of eight bytes has an entry in `BYTES`."""
    low = word & ~HIGH
    calm = (low + np.uint64(0x60) * EACH) & ~(low + EACH)  # 32 to 126
    calm &= differ(low, np.uint64(0x3C)) & differ(low, np.uint64(0x26))  # < &
    calm &= differ(low, np.uint64(0x2A)) & differ(low, np.uint64(0x5F))  # * _
    calm &= differ(low, np.uint64(0x5B)) & differ(low, np.uint64(0x23))  # [ #
    return int64((word | ~calm) & HIGH != np.uint64(0))


@declare("int64(uint8[::1], int64, int64, uint16[::1], int64[::1])")
def beyond_ascii(buffer: np.ndarray, start: int, end: int, characters: np.ndarray, follow: np.ndarray) -> int:
    """Return the flags of the characters beyond ASCII; arguments as of `suspects`."""
    seen = 0
    kind = 0  # of the character just before
    waiting = False  # for a letter or a digit, to make a pair mojibake
    i = start
    while i < end:
        if kind == 0 and not waiting and i + 8 <= end and is_plain(load(buffer, i, end)):
            i += 8
            continue
        byte = int64(buffer[i])
        if byte < 0x80:
            if waiting and (is_letter(buffer[i]) or is_digit(buffer[i]) or byte == 95):
                seen |= MOJIBAKE
            if kind:
                if (kind == TILDED and byte == 32) or (kind == OE and not is_letter(buffer[i])):
                    seen |= MOJIBAKE
                kind = 0
            waiting = False
            i += 1
            continue
        width = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
        code = byte & (0x7F >> width)
        for k in range(1, width):
            code = code << 6 | (int64(buffer[i + k]) & 0x3F if i + k < end else 0)
        i += width
        entry = int64(characters[code]) if code < len(characters) else far_flags(code)
        if waiting or kind == OE or follow[kind] >> (entry & 31) & 1:
            seen |= MOJIBAKE
        waiting = follow[32 + kind] >> (entry & 31) & 1 != 0
        kind = entry & 31
        seen |= entry >> KIND_BITS
    if kind == OE:  # ftfy sees each line with its break, which is no letter
        seen |= MOJIBAKE
    return seen


@declare("int64(int64)")
def far_flags(code: int) -> int:
    """Return the entry of a code point that is too high for the table, from U+10000 on.

    Planes 1 and 2 are in normalisation form C as far as they hold pictures and ideographs; the rest is taken not to be.
    """
    if 0x1F000 <= code < 0x2F800 or code >= 0x30000:
        return 0
    return UNNORMAL << KIND_BITS
