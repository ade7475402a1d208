"""Characters that hide personal data from a search in bytes.

Full-width ones, those of no width, typographic spaces and hyphens between the digits of a number, and the `@` of a URL
or of HTML as `%40`, `&#64;`, `&commat;`.
"""

from __future__ import annotations

import numpy as np

from pipeline.text.boundaries import digits_end, is_digit
from pipeline.text.kernel import declare, int64
from pipeline.text.load import HIGH, differ, load

__all__ = ["is_disguised", "undisguise"]

LEADS = np.zeros(256, np.int64)
"""1 for a byte that one of these characters may begin with."""
LEADS[[0x25, 0x26, 0xC2, 0xE2, 0xE3, 0xEF]] = 1

SPACE, HYPHEN, AT = 32, 45, 64

NUMBER = 7
"""The least digits of a number that typographic spaces or hyphens part; `100 000` and `12–15` hide nothing."""

REACH = 24
"""Bytes on either side of a space or hyphen in which those digits are counted."""

_ESCAPES = (b"&#64;", b"&#064;", b"&#x40;", b"&#X40;", b"&commat;")
ESCAPES = np.array([list(escape.ljust(8, b"\0")) for escape in _ESCAPES], np.uint8)
"""What stands for an `@` in HTML, one a row."""


@declare("int64(uint8[::1], int64, int64)")
def is_disguised(buffer: np.ndarray, start: int, end: int) -> int:
    """Return 1 if something in the row may be hidden.

    That is a full-width digit or `＠`, an `@` that is escaped, a character of no width in ASCII, or a typographic space
    or hyphen in a number. Full-width punctuation alone, which Chinese and Japanese texts are full of, is no disguise,
    nor are the spaces and dashes of prose.

    Args:
        buffer: Bytes of the column; the row is `[start, end)`.
        start: Its first byte.
        end: One past its last byte.
    """
    i = start
    while i < end:
        if i + 8 <= end:
            word = load(buffer, i, end)
            low = word & ~HIGH
            if (word | ~(differ(low, np.uint64(0x25)) & differ(low, np.uint64(0x26)))) & HIGH == np.uint64(0):
                i += 8  # ASCII without % and &
                continue
        stop = min(i + 8, end)
        while i < stop:
            if buffer[i] >= 0xE3 and not may_hide(buffer, i, end):
                i += 3  # most characters of Chinese, Japanese and Korean
                continue
            if LEADS[buffer[i]]:
                code = disguise_at(buffer, start, i, end)
                character = code & 0xFF
                if code and (character == 0 or character == AT or 48 <= character <= 57):
                    return 1
                hyphen = character == HYPHEN
                if (hyphen or character == SPACE) and parts_number(buffer, start, i, code >> 8, end):
                    return 1
            i += 1
    return 0


@declare("int64(uint8[::1], int64, int64)", inline=True)
def may_hide(buffer: np.ndarray, at: int, end: int) -> int:
    """Return 1 if the character of three bytes or more at `at` may be a disguise: U+3000, or one from U+F000 on."""
    if buffer[at] == 0xE3 and at + 2 < end:
        return int64(buffer[at + 1] | buffer[at + 2] == 0x80)
    return int64(buffer[at] == 0xEF)


@declare("int64(uint8[::1], int64, int64, int64)")
def disguise_at(buffer: np.ndarray, start: int, at: int, end: int) -> int:
    """Return what stands at `at`, or 0 if nothing is disguised there.

    Returns:
        `width << 8 | character`: the bytes of the disguise, and the ASCII character behind it, or 0 for none.
    """
    if at + 1 >= end:
        return 0
    lead = int64(buffer[at])
    one = int64(buffer[at + 1])
    two = int64(buffer[at + 2]) if at + 2 < end else 0
    if lead == 0x25:  # %
        return 3 << 8 | AT if one == 52 and two == 48 else 0
    if lead == 0x26:  # &
        return escaped_at(buffer, at, end)
    if lead == 0xE3:
        return 3 << 8 | SPACE if one == 0x80 and two == 0x80 else 0  # U+3000
    if lead == 0xEF and (one == 0xBC or one == 0xBD) and two & 0xC0 == 0x80:
        character = 64 * (one - 0xBC) + two - 0x60  # U+FF01 is !
        return 3 << 8 | character if 33 <= character <= 126 else 0
    if lead == 0xC2 and one == 0xA0:
        return 2 << 8 | SPACE
    if lead == 0xE2 and one == 0x80:
        if 0x80 <= two <= 0x8A or two == 0xAF:  # U+2000 to U+200A, U+202F
            return 3 << 8 | SPACE
        if 0x90 <= two <= 0x95:  # U+2010 to U+2015
            return 3 << 8 | HYPHEN
    if lead == 0xE2 and one == 0x81 and two == 0x9F:  # U+205F
        return 3 << 8 | SPACE
    if lead == 0xE2 and one == 0x88 and two == 0x92:  # U+2212
        return 3 << 8 | HYPHEN
    soft = lead == 0xC2 and one == 0xAD  # soft hyphen
    empty = (lead == 0xE2 and one == 0x80 and 0x8B <= two <= 0x8D) or (lead == 0xE2 and one == 0x81 and two == 0xA0)
    width = 2 if soft else 3 if empty or (lead == 0xEF and one == 0xBB and two == 0xBF) else 0
    if width == 0 or at == start or at + width >= end:
        return 0
    inside = 32 < buffer[at - 1] < 0x80 and 32 < buffer[at + width] < 0x80  # joiners between other letters stay
    return width << 8 if inside else 0


@declare("int64(uint8[::1], int64, int64)")
def escaped_at(buffer: np.ndarray, at: int, end: int) -> int:
    """Return the code of an `@` that stands at `at` as `&#64;`, `&#064;`, `&#x40;` or `&commat;`, as `disguise_at`."""
    for k in range(len(ESCAPES)):
        i = 0
        while i < ESCAPES.shape[1] and ESCAPES[k, i] and at + i < end and buffer[at + i] == ESCAPES[k, i]:
            i += 1
        if i > 0 and ESCAPES[k, i - 1] == 59:  # ;
            return i << 8 | AT
    return 0


@declare("int64(uint8[::1], int64, int64, int64, int64)")
def parts_number(buffer: np.ndarray, start: int, at: int, width: int, end: int) -> int:
    """Return 1 if the space or hyphen at `at`, of `width` bytes, stands between the digits of a number.

    Two years (`1999–2003`) are none.
    """
    if at == start or at + width >= end:
        return 0
    before = buffer[at - 1]
    after = buffer[at + width]
    if not (is_digit(before) or before == 41) or not (is_digit(after) or after == 40 or after == 43):
        return 0
    left = digits_beside(buffer, at - 1, max(start, at - REACH) - 1, -1)
    right = digits_beside(buffer, at + width, min(end, at + width + REACH), 1)
    years = left == 4 and right == 4 and is_year(buffer, at - 4, end) and is_year(buffer, at + width, end)
    return 1 if left + right >= NUMBER and not years else 0


@declare("int64(uint8[::1], int64, int64)")
def is_year(buffer: np.ndarray, at: int, end: int) -> int:
    """Return 1 if the digits from `at` on, of which there is one, are four and begin with 1 or 2."""
    return 1 if 49 <= buffer[at] <= 50 and digits_end(buffer, at, end) == at + 4 else 0


@declare("int64(uint8[::1], int64, int64, int64)")
def digits_beside(buffer: np.ndarray, at: int, end: int, step: int) -> int:
    """Count the digits from `at` to `end`, as far as there are but digits, ` -./()+` and bytes beyond ASCII."""
    digits = 0
    i = at
    while i != end:
        byte = buffer[i]
        if is_digit(byte):
            digits += 1
        elif not (byte >= 0x80 or byte == 32 or 45 <= byte <= 47 or byte == 40 or byte == 41 or byte == 43):
            break
        i += step
    return digits


@declare("int64(uint8[::1], int64, int64, uint8[::1], int64, int64[::1], int64[::1], int64)")
def undisguise(
    buffer: np.ndarray,
    start: int,
    end: int,
    output: np.ndarray,
    at: int,
    places: np.ndarray,
    sources: np.ndarray,
    first: int,
) -> int:
    """Write the row without disguises, and return its new length in bytes.

    Between two disguises the output is the row itself, so where its bytes come from is said at these places only: the
    byte `places[k] + n` of the output comes from `sources[k] + n` of the buffer, up to `places[k + 1]`.

    Args:
        buffer: Bytes of the column; the row is `[start, end)`.
        start: Its first byte.
        end: One past its last byte.
        output: Where to write.
        at: Where in it; below 0, nothing is written, only the length is measured and the places are counted.
        places: Where to write the row's begin, and the place behind each disguise, in the output; if they are counted,
            how many there are.
        sources: Where to write the same in the buffer.
        first: Where in these two.
    """
    length = 0
    entry = first
    if at >= 0:
        places[entry] = at
        sources[entry] = start
    i = start
    while i < end:
        byte = int64(buffer[i])
        width = 1
        if LEADS[byte]:
            code = disguise_at(buffer, start, i, end)
            if code:
                byte = code & 0xFF
                width = code >> 8
        if width == 1 or byte:
            if at >= 0:
                output[at + length] = byte
            length += 1
        i += width
        if width > 1:
            entry += 1
            if at >= 0:
                places[entry] = at + length
                sources[entry] = i
    if at < 0:
        places[first] = entry + 1 - first
    return length
