"""The string literals of a JSON text, keys among them: which of them need a closer look, and others in their place.

Outside a literal of a valid JSON text every quote opens one, so nothing else needs to be parsed.
"""

from __future__ import annotations

import numpy as np

from pipeline.text.json_escapes import encode_string
from pipeline.text.kernel import declare
from pipeline.text.redact import redact

__all__ = ["find_strings", "splice_strings"]


@declare("int64(uint8[::1], int64, int64, int64, int64[::1], uint8[::1], int64[::1], int64[::1], int64)")
def find_strings(
    buffer: np.ndarray,
    start: int,
    end: int,
    wanted: int,
    counts: np.ndarray,
    nothing: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    at: int,
) -> int:
    """List the strings in which personal data may stand, and return how many there are.

    These are the strings with an escape, which may hide some, and those without one in which `redact` finds some.

    Args:
        buffer: Bytes of the column; the text is `[start, end)`.
        start: Its first byte.
        end: One past its last byte.
        wanted: Bit k is set if the kth of `ENTITIES` is looked for.
        counts: Scratch, one for each of `ENTITIES`.
        nothing: An output that is not written to; it may be empty.
        starts: Where to write the place of each string's first byte, after the quote.
        ends: Where to write the place of each string's closing quote.
        at: Where in `starts` and `ends`; below 0, nothing is written and the strings are only counted.
    """
    found = 0
    i = start
    while i < end:
        if buffer[i] != 34:
            i += 1
            continue
        first = i + 1
        i = string_end(buffer, first, end)
        if holds_escape(buffer, first, i) or holds_entity(buffer, first, i, wanted, counts, nothing):
            if at >= 0:
                starts[at + found] = first
                ends[at + found] = i
            found += 1
        i += 1
    return found


@declare(
    "int64(uint8[::1], int64, int64, int64[::1], int64[::1], int64, int64, uint8[::1], int64[::1], uint8[::1], int64)"
)
def splice_strings(
    buffer: np.ndarray,
    start: int,
    end: int,
    starts: np.ndarray,
    ends: np.ndarray,
    first: int,
    last: int,
    values: np.ndarray,
    bounds: np.ndarray,
    output: np.ndarray,
    at: int,
) -> int:
    """Write the text with other values in some of its strings, and return its new length in bytes.

    Args:
        buffer: Bytes of the column; the text is `[start, end)`.
        start: Its first byte.
        end: One past its last byte.
        starts: Where each string to replace begins, after the quote, in ascending order.
        ends: Where its closing quote is.
        first: The text's first string to replace.
        last: One past its last.
        values: Bytes of the new values, as `decode_string` writes them.
        bounds: The new value of string s is `values[bounds[s]:bounds[s + 1]]`.
        output: Where to write.
        at: Where in `output`; below 0, nothing is written and only the length is measured.
    """
    length = 0
    kept = start  # what lies before has been written
    for string in range(first, last + 1):
        until = starts[string] if string < last else end
        if at >= 0:
            for i in range(kept, until):
                output[at + length + i - kept] = buffer[i]
        length += until - kept
        if string < last:
            place = at + length if at >= 0 else -1
            length += encode_string(values, bounds[string], bounds[string + 1], output, place)
            kept = ends[string]
    return length


@declare("int64(uint8[::1], int64, int64)")
def string_end(buffer: np.ndarray, at: int, end: int) -> int:
    """Return where the closing quote of the string is whose content begins at `at`, or `end` if there is none."""
    i = at
    while i < end and buffer[i] != 34:
        i += 2 if buffer[i] == 92 else 1
    return min(i, end)


@declare("int64(uint8[::1], int64, int64)")
def holds_escape(buffer: np.ndarray, start: int, end: int) -> int:
    """Return 1 if there is a backslash."""
    for i in range(start, end):
        if buffer[i] == 92:
            return 1
    return 0


@declare("int64(uint8[::1], int64, int64, int64, int64[::1], uint8[::1])")
def holds_entity(buffer: np.ndarray, start: int, end: int, wanted: int, counts: np.ndarray, nothing: np.ndarray) -> int:
    """Return how many entities `redact` finds; `counts` and `nothing` as of `find_strings`."""
    for k in range(len(counts)):
        counts[k] = 0
    redact(buffer, start, end, wanted, counts, nothing, -1)
    found = 0
    for k in range(len(counts)):
        found += counts[k]
    return found
