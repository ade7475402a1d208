"""Rows of JSON whose texts stand under known keys: the texts, decoded, and the rest of the row as it was written."""

from __future__ import annotations

import numpy as np

from pipeline.text.characters import whitespace_width
from pipeline.text.json_escapes import ESCAPES, decode_string
from pipeline.text.json_values import (
    BACKSLASHES,
    HIGH,
    ONES,
    escape_width,
    list_members,
    load_word,
    same,
    skip_space,
)
from pipeline.text.kernel import declare, int64
from pipeline.text.load import first_byte
from pipeline.text.put import put_bytes

__all__ = ["read_texts"]


@declare(
    "int64(uint8[::1], int64, int64, uint8[::1], int64[::1], int64[:,::1], int64[::1], "
    "uint8[::1], int64[::1], uint8[::1], int64)"
)
def read_texts(
    buffer: np.ndarray,
    start: int,
    end: int,
    names: np.ndarray,
    name_bounds: np.ndarray,
    members: np.ndarray,
    levels: np.ndarray,
    texts: np.ndarray,
    places: np.ndarray,
    rest: np.ndarray,
    at: int,
) -> int:
    """Write the texts of one row and the exact JSON of its other members.

    Args:
        buffer: Bytes of the column; the row is `[start, end)`, UTF-8.
        start: Its first byte.
        end: One past its last byte.
        names: Keys under which the row's texts stand.
        name_bounds: Key k is `names[name_bounds[k]:name_bounds[k + 1]]`.
        members: Scratch, as of `list_members`.
        levels: Scratch, as of `list_members`.
        texts: Where to write the texts, decoded; as many bytes as the row has may be written.
        places: Text k begins at `texts[places[k]]`; the first is given, the others and the end are written.
        rest: Where to write `{"key":value,…}`, without white space between members; as many bytes as the row has.
        at: Where in `rest`.

    Returns:
        The length of the rest, 0 if there is none; -1 if the row is not plain (`pipeline.text.json_values`), a key is
        missing, or what stands there is no string with a character that is not white space. Then what was written
        means nothing.
    """
    first = skip_space(buffer, start, end)
    count = list_members(buffer, first, end, members, levels)
    if count < 0:
        return -1
    last = members[count - 1, 3] if count else first + 1
    if skip_space(buffer, skip_space(buffer, last, end) + 1, end) != end:
        return -1
    wanted = len(name_bounds) - 1
    for text in range(wanted):
        k = 0
        while k < count and not same(
            buffer, members[k, 0], members[k, 1], names, name_bounds[text], name_bounds[text + 1]
        ):
            k += 1
        if k == count or buffer[members[k, 2]] != 34 or not is_filled(buffer, members[k, 2] + 1, members[k, 3] - 1):
            return -1
        length = write_string(buffer, members[k, 2] + 1, members[k, 3] - 1, texts, places[text])
        places[text + 1] = places[text] + length
    length = 0
    for k in range(count):
        used = 0
        for text in range(wanted):
            used |= same(buffer, members[k, 0], members[k, 1], names, name_bounds[text], name_bounds[text + 1])
        if not used:
            rest[at + length] = 44 if length else 123
            put_bytes(buffer, members[k, 0] - 1, members[k, 1] + 1, rest, at, length + 1)
            length += members[k, 1] - members[k, 0] + 3
            rest[at + length] = 58
            put_bytes(buffer, members[k, 2], members[k, 3], rest, at, length + 1)
            length += members[k, 3] - members[k, 2] + 1
    if length:
        rest[at + length] = 125
        length += 1
    return int64(length)


@declare("int64(uint8[::1], int64, int64)")
def is_filled(buffer: np.ndarray, start: int, end: int) -> int:
    """Return 1 if the content of a string surely holds more than white space; escapes do not count."""
    i = start
    while i < end:
        if buffer[i] == 92:
            i += max(escape_width(buffer, i, end), 1)
            continue
        width = whitespace_width(buffer, i, end)
        if width == 0:
            return 1
        i += width
    return 0


@declare("int64(uint8[::1], int64, int64, uint8[::1], int64)")
def write_string(buffer: np.ndarray, start: int, end: int, output: np.ndarray, at: int) -> int:
    """Write what the content of a plain string stands for, and return its length in bytes, never more than before."""
    length = 0
    i = start
    while i < end:
        if i + 8 <= end:
            word = load_word(buffer, i)
            slashes = word ^ BACKSLASHES
            found = ((slashes - ONES) & ~slashes) & HIGH
            width = first_byte(found) if found else 8
            place = np.uint64(at + length)
            for k in range(8):  # what is too much is written over
                output[place + np.uint64(k)] = np.uint8((word >> np.uint64(8 * k)) & np.uint64(255))
            length += width
            i += width
            if width == 8:
                continue
        if buffer[i] == 92:
            letter = int64(buffer[i + 1]) if i + 1 < end else 0
            if letter != 117 and letter < 128 and ESCAPES[letter] >= 0:
                output[at + length] = ESCAPES[letter]
                length += 1
                i += 2
            else:
                width = max(escape_width(buffer, i, end), 1)
                length += decode_string(buffer, i, i + width, output, at + length)
                i += width
        else:
            output[at + length] = buffer[i]
            length += 1
            i += 1
    return length
