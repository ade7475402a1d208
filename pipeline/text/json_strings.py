"""The scalars of a JSON text in which personal data may stand (strings, keys, long integers), and others in place.

Outside a string of a valid JSON text every quote opens one and every brace is one, so little else needs to be parsed.
"""

from __future__ import annotations

import numpy as np

from pipeline.text.boundaries import is_digit
from pipeline.text.json_escapes import encode_string
from pipeline.text.kernel import declare, int64
from pipeline.text.replace import copy_bytes

__all__ = ["FIRST_KEY", "KEY", "NUMBER", "STRING", "list_scalars", "splice_scalars"]

STRING, NUMBER, KEY, FIRST_KEY = range(4)
"""Kinds of scalars. A first key is its object's first one."""

SHORTEST_STRING = 3
"""Bytes of the shortest value that is listed: nothing that is looked for is shorter."""

SHORTEST_NUMBER = 7
"""Digits of the shortest integer that is listed: no telephone number has fewer."""


@declare("int64(uint8[::1], int64, int64, int64[::1], int64[::1], int8[::1], int64[::1], int64)")
def list_scalars(
    buffer: np.ndarray,
    start: int,
    end: int,
    starts: np.ndarray,
    ends: np.ndarray,
    kinds: np.ndarray,
    owners: np.ndarray,
    at: int,
) -> int:
    """List every key, the strings and the integers long enough to be personal data, and return how many there are.

    Args:
        buffer: Bytes of the column; the text is `[start, end)`.
        start: Its first byte.
        end: One past its last byte.
        starts: Where to write the place of each scalar's first byte, of a string the one after the quote.
        ends: Where to write the place after its last byte, of a string that of the closing quote.
        kinds: Where to write its kind.
        owners: Where to write, for a value, the place (in these four) of its key, or -1; for a key, that of its
            object's first key; for a first key, that of the object around it, or -1: the first keys are the stack of
            open objects.
        at: Where in the four; below 0, nothing is written and the scalars are only counted.
    """
    found = 0
    inside = -1  # the first key of the object that `i` is in
    opened = False  # a brace has been opened, and its first key is to come
    key = -1  # what comes next is its value
    i = start
    while i < end:
        byte = buffer[i]
        kind = -1
        first = i
        stop = i
        if byte == 34:  # "
            first = i + 1
            stop = string_end(buffer, first, end)
            i = stop + 1
            after = space_end(buffer, i, end)
            if after < end and buffer[after] == 58:  # :
                kind = FIRST_KEY if opened else KEY
                opened = False
            elif stop - first >= SHORTEST_STRING:
                kind = STRING
        elif is_digit(byte) or byte == 45:  # -
            i = number_end(buffer, i, end)
            stop = i
            if stop - first >= SHORTEST_NUMBER and is_integer(buffer, first, stop):
                kind = NUMBER
        else:
            i += 1
            if byte == 123 or byte == 91:  # { [
                key = -1
            if byte == 123:
                after = space_end(buffer, i, end)
                if after < end and buffer[after] == 125:  # an empty object, which has no first key
                    i = after + 1
                else:
                    opened = True
            elif byte == 125 and at >= 0 and inside >= 0:  # }
                inside = owners[inside]
        if kind >= 0:
            if at >= 0:
                starts[at + found] = first
                ends[at + found] = stop
                kinds[at + found] = kind
                owners[at + found] = inside if kind >= KEY else key
                if kind == FIRST_KEY:
                    inside = at + found
                if kind >= KEY:
                    key = at + found
            found += 1
    return found


@declare(
    "int64(uint8[::1], int64, int64, int64[::1], int64[::1], int8[::1], int64, int64, uint8[::1], int64[::1],"
    " uint8[::1], int64)"
)
def splice_scalars(
    buffer: np.ndarray,
    start: int,
    end: int,
    starts: np.ndarray,
    ends: np.ndarray,
    kinds: np.ndarray,
    first: int,
    last: int,
    values: np.ndarray,
    bounds: np.ndarray,
    output: np.ndarray,
    at: int,
) -> int:
    """Write the text with strings of other values in the place of some scalars, and return its new length in bytes.

    Args:
        buffer: Bytes of the column; the text is `[start, end)`.
        start: Its first byte.
        end: One past its last byte.
        starts: Where each scalar to replace begins, as `list_scalars` says, in ascending order.
        ends: Where it ends.
        kinds: Its kind; a number becomes a string.
        first: The text's first scalar to replace.
        last: One past its last.
        values: Bytes of the new values, as `decode_string` writes them.
        bounds: The new value of scalar s is `values[bounds[s]:bounds[s + 1]]`.
        output: Where to write.
        at: Where in `output`; below 0, nothing is written and only the length is measured.
    """
    length = 0
    kept = start  # what lies before has been written
    for scalar in range(first, last + 1):
        until = starts[scalar] if scalar < last else end
        length += copy_bytes(buffer, kept, until, output, at + length if at >= 0 else -1)
        if scalar == last:
            break
        quotes = 1 if kinds[scalar] == NUMBER else 0
        place = at + length + quotes if at >= 0 else -1
        written = encode_string(values, bounds[scalar], bounds[scalar + 1], output, place)
        if quotes and at >= 0:
            output[place - 1] = 34
            output[place + written] = 34
        length += written + 2 * quotes
        kept = ends[scalar]
    return length


@declare("int64(uint8[::1], int64, int64)")
def string_end(buffer: np.ndarray, at: int, end: int) -> int:
    """Return where the closing quote of the string is whose content begins at `at`, or `end` if there is none."""
    i = at
    while i < end and buffer[i] != 34:
        i += 2 if buffer[i] == 92 else 1
    return min(i, end)


@declare("int64(uint8[::1], int64, int64)")
def space_end(buffer: np.ndarray, at: int, end: int) -> int:
    """Return where JSON's whitespace at `at` ends (`at` itself if there is none)."""
    i = at
    while i < end and (buffer[i] == 32 or buffer[i] == 9 or buffer[i] == 10 or buffer[i] == 13):
        i += 1
    return i


@declare("int64(uint8[::1], int64, int64)")
def number_end(buffer: np.ndarray, at: int, end: int) -> int:
    """Return where the number at `at` ends, with its fraction and exponent."""
    i = at
    while i < end:
        c = int64(buffer[i])
        if not is_digit(buffer[i]) and c != 43 and c != 45 and c != 46 and c | 0x20 != 101:  # + - . e
            break
        i += 1
    return i


@declare("int64(uint8[::1], int64, int64)")
def is_integer(buffer: np.ndarray, start: int, end: int) -> int:
    """Return 1 if there are only digits."""
    for i in range(start, end):
        if not is_digit(buffer[i]):
            return 0
    return 1
