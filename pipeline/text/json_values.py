"""JSON as it is written: where values end, and what stands under the keys of an object.

A kernel here answers only for *plain* JSON: valid by RFC 8259, no key twice in one object at any depth, no escape in a
key, no number of more than 200 characters or of an exponent of more than two digits, no more levels than its scratch
has. Of anything else it says that it does not know, and the text is read by other means. Bytes are taken to be UTF-8.
"""

from __future__ import annotations

import numpy as np

from pipeline.text.boundaries import digits_end
from pipeline.text.json_escapes import ESCAPES, code_unit
from pipeline.text.kernel import declare, int64
from pipeline.text.load import first_byte

__all__ = ["list_members", "load_word", "string_stop"]

LONGEST_NUMBER = 200
ONES = np.uint64(0x0101010101010101)
HIGH = np.uint64(0x8080808080808080)
QUOTES = np.uint64(0x2222222222222222)
BACKSLASHES = np.uint64(0x5C5C5C5C5C5C5C5C)
SPACES = np.uint64(0x2020202020202020)

KEY, FIRST_KEY, ITEM, FIRST_ITEM, AFTER = 0, 1, 2, 3, 4
"""What may come: a key; a key or the end of its object; a value; a value or the end of its array; a comma or an end."""


@declare("int64(uint8[::1], int64, int64, int64[:,::1], int64[::1])")
def list_members(buffer: np.ndarray, at: int, end: int, members: np.ndarray, levels: np.ndarray) -> int:
    """List the members of the object at `at`, and return how many it has; -1 where it is not plain.

    Args:
        buffer: Bytes of the column.
        at: The object's brace.
        end: One past the last byte that may be read.
        members: Where to write, a row a member: the first byte of its key (after the quote), the key's closing quote,
            the first byte of its value, one past the value's last byte. Rows after them are scratch.
        levels: Scratch, one for each level of objects and arrays.
    """
    if at >= end or buffer[at] != 123:
        return -1
    count = 0
    depth = 1
    levels[0] = 0  # of an object its first row of `members`; -1 for an array
    state = FIRST_KEY
    i = at + 1
    while True:
        i = skip_space(buffer, i, end)
        if i >= end:
            return -1
        byte = buffer[i]
        closes = False
        if state == AFTER:
            closes = byte == (125 if levels[depth - 1] >= 0 else 93)
            if not closes:
                if byte != 44:
                    return -1
                state = KEY if levels[depth - 1] >= 0 else ITEM
                i += 1
                continue
        elif state in (FIRST_KEY, KEY):
            closes = state == FIRST_KEY and byte == 125
            if not closes:
                stop = key_stop(buffer, i, end, members, levels[depth - 1], count)
                if stop < 0:
                    return -1
                i = skip_space(buffer, stop + 1, end)
                if i >= end or buffer[i] != 58:
                    return -1
                i = skip_space(buffer, i + 1, end)
                members[count, 2] = i
                count += 1
                state = ITEM
                continue
        elif byte == 123 or byte == 91:
            if depth == len(levels):
                return -1
            levels[depth] = count if byte == 123 else -1
            state = FIRST_KEY if byte == 123 else FIRST_ITEM
            depth += 1
            i += 1
            continue
        else:
            closes = state == FIRST_ITEM and byte == 93
            if not closes:
                i = string_stop(buffer, i + 1, end) + 1 if byte == 34 else scalar_stop(buffer, i, end)
                if i <= 0:
                    return -1
        if closes:
            depth -= 1
            i += 1
            if levels[depth] >= 0:
                if depth == 0:
                    return count
                count = levels[depth]
        if levels[depth - 1] >= 0:
            members[count - 1, 3] = i
        state = AFTER


@declare("int64(uint8[::1], int64, int64)")
def string_stop(buffer: np.ndarray, at: int, end: int) -> int:
    """Return where the closing quote is of the string whose content begins at `at`, or -1 if it is not plain."""
    i = at
    while i < end:
        if i + 8 <= end:
            word = load_word(buffer, i)
            quotes = word ^ QUOTES
            slashes = word ^ BACKSLASHES
            # A byte's high bit is set if it is 0 (below 0x20 in the third), or one before it is.
            found = ((quotes - ONES) & ~quotes) | ((slashes - ONES) & ~slashes) | ((word - SPACES) & ~word)
            found &= HIGH
            if found == np.uint64(0):
                i += 8
                continue
            i += first_byte(found)
        byte = int64(buffer[i])
        if byte == 34:
            return i
        if byte < 32:
            return -1
        i += 1
        if byte == 92:
            width = escape_width(buffer, i - 1, end)
            if width == 0:
                return -1
            i += width - 1
    return -1


@declare("int64(uint8[::1], int64, int64)")
def escape_width(buffer: np.ndarray, at: int, end: int) -> int:
    """Return how many bytes the escape at `at` has, a whole surrogate pair being one; 0 if it is none."""
    if at + 1 >= end:
        return 0
    letter = int64(buffer[at + 1])
    if letter != 117:
        return 2 if letter < 128 and ESCAPES[letter] >= 0 else 0
    code = code_unit(buffer, at, end)
    if code < 0xD800 or code >= 0xE000:
        return 6 if code >= 0 else 0
    if code < 0xDC00 and 0xDC00 <= code_unit(buffer, at + 6, end) < 0xE000:
        return 12
    return 0


@declare("int64(uint8[::1], int64, int64, int64[:,::1], int64, int64)")
def key_stop(buffer: np.ndarray, at: int, end: int, members: np.ndarray, first: int, count: int) -> int:
    """Return where the key at `at` has its closing quote, and enter it as `members[count]`.

    Returns:
        -1 if it is no plain key, or `members[first:count]` has it, or there is no room for it.
    """
    stop = string_stop(buffer, at + 1, end) if buffer[at] == 34 else -1
    if stop < 0 or count == len(members):
        return -1
    for i in range(at + 1, stop):
        if buffer[i] == 92:
            return -1
    for other in range(first, count):
        if same(buffer, members[other, 0], members[other, 1], buffer, at + 1, stop):
            return -1
    members[count, 0] = at + 1
    members[count, 1] = stop
    return stop


@declare("int64(uint8[::1], int64, int64, uint8[::1], int64, int64)")
def same(a: np.ndarray, start: int, end: int, b: np.ndarray, other: int, other_end: int) -> int:
    """Return 1 if `a[start:end]` and `b[other:other_end]` are the same bytes."""
    if end - start != other_end - other:
        return 0
    for k in range(end - start):
        if a[start + k] != b[other + k]:
            return 0
    return 1


@declare("int64(uint8[::1], int64, int64)")
def scalar_stop(buffer: np.ndarray, at: int, end: int) -> int:
    """Return one past the last byte of the number, `true`, `false` or `null` at `at`, or -1 if it is not plain."""
    byte = buffer[at]
    if byte == 116 or byte == 110:  # true, null
        word = np.uint64(0x65757274) if byte == 116 else np.uint64(0x6C6C756E)
        return at + 4 if at + 4 <= end and spells(buffer, at, word, 4) else -1
    if byte == 102:  # alse, after f
        return at + 5 if at + 5 <= end and spells(buffer, at + 1, np.uint64(0x65736C61), 4) else -1
    i = at + 1 if byte == 45 else at
    whole = digits_end(buffer, i, end)
    if whole == i or (whole > i + 1 and buffer[i] == 48):
        return -1
    i = whole
    if i < end and buffer[i] == 46:
        fraction = digits_end(buffer, i + 1, end)
        if fraction == i + 1:
            return -1
        i = fraction
    if i < end and buffer[i] | 32 == 101:
        i += 1
        if i < end and (buffer[i] == 43 or buffer[i] == 45):
            i += 1
        exponent = digits_end(buffer, i, end)
        if exponent == i or exponent > i + 2:
            return -1
        i = exponent
    return i if i - at <= LONGEST_NUMBER else -1


@declare("int64(uint8[::1], int64, uint64, int64)")
def spells(buffer: np.ndarray, at: int, word: np.uint64, width: int) -> int:
    """Return 1 if the `width` bytes at `at` are those of `word`, little-endian."""
    for k in range(width):
        if np.uint64(buffer[at + k]) != (word >> np.uint64(8 * k)) & np.uint64(255):
            return 0
    return 1


@declare("int64(uint8[::1], int64, int64)")
def skip_space(buffer: np.ndarray, at: int, end: int) -> int:
    """Return where JSON's white space at `at` ends."""
    i = at
    while i < end and (buffer[i] == 32 or buffer[i] == 9 or buffer[i] == 13 or buffer[i] == 10):
        i += 1
    return i


@declare("uint64(uint8[::1], int64)")
def load_word(buffer: np.ndarray, at: int) -> np.uint64:
    """Return the eight bytes at `at`, little-endian."""
    word = np.uint64(0)
    first = np.uint64(at)  # an unsigned index is used as it is, so that the eight reads become one
    for k in range(8):
        word |= np.uint64(buffer[first + np.uint64(k)]) << np.uint64(8 * k)
    return word
