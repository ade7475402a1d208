"""The cleaner `signature`: what mail programs add to a message."""

from __future__ import annotations

import numpy as np

from pipeline.text.boundaries import is_digit
from pipeline.text.kernel import declare
from pipeline.text.passages import filled_line, holds_phrase, line_stop, packed
from pipeline.text.put import put_bytes

__all__ = ["remove_signature"]

LONGEST = 12
"""Lines that a signature may have, its mark not counted."""

SENT, SENT_BOUNDS = packed(
    ["sent from my ", "sent from yahoo mail", "sent from mail for windows", "sent from outlook", "get outlook for "]
)
ORIGINAL, ORIGINAL_BOUNDS = packed(["-----original message-----", "begin forwarded message:", "---------- forwarded"])
FIELDS, FIELDS_BOUNDS = packed(["from:", "sent:", "date:", "to:", "cc:", "subject:"])
ON, ON_BOUNDS = packed(["on "])
WROTE, WROTE_BOUNDS = packed([" wrote:"])


@declare("int64(uint8[::1], int64, int64, uint8[::1], int64)")
def remove_signature(buffer: np.ndarray, start: int, end: int, output: np.ndarray, at: int) -> int:
    """Write the row without what mail programs add, and return its new length in bytes.

    - At the end: a line `--` with up to `LONGEST` lines after it; a last line such as `Sent from my phone`.
    - Anywhere: `On …, … wrote:` with a time of day, in one line or two; `-----Original Message-----` and the like with
      the lines `From:`, `Sent:`, `To:`, … below it. The quoted lines stay.

    Arguments as of `controls.remove_controls`.
    """
    stop = end
    while True:
        shorter = signature_start(buffer, start, stop)
        if shorter == stop:
            break
        stop = shorter
    length = 0
    i = start
    while i < stop:
        line = line_stop(buffer, i, stop)
        after = reply_header_end(buffer, i, line, stop)
        if after == i:
            after = min(line + 1, stop)
            length = put_bytes(buffer, i, after, output, at, length)
        i = after
    return length


@declare("int64(uint8[::1], int64, int64)")
def signature_start(buffer: np.ndarray, start: int, end: int) -> int:
    """Return where the text ends without the signature at its end; `end` if it has none."""
    found = end
    lines = 0
    last = True  # no filled line has been seen
    i = end
    while i > start and lines <= LONGEST + 1:
        first = i - 1  # step over the line break of the line above
        while first > start and buffer[first - 1] != 10:
            first -= 1
        stop = i - 1 if buffer[i - 1] == 10 else i
        if last and filled_line(buffer, first, stop) >= 0:
            last = False
            if begins_with(buffer, first, stop, SENT, SENT_BOUNDS) and stop - first < 80:
                found = first
        if is_signature_mark(buffer, first, stop):
            found = first
        lines += 1
        i = first
    return found


@declare("int64(uint8[::1], int64, int64)")
def is_signature_mark(buffer: np.ndarray, start: int, end: int) -> int:
    """Return 1 for a line of two hyphens, with or without the space that RFC 3676 asks for."""
    if end - start < 2 or end - start > 3 or buffer[start] != 45 or buffer[start + 1] != 45:
        return 0
    return 1 if end - start == 2 or buffer[start + 2] == 32 else 0


@declare("int64(uint8[::1], int64, int64, int64)")
def reply_header_end(buffer: np.ndarray, start: int, line: int, end: int) -> int:
    """Return where the line after the reply header begins whose first line is `[start, line)`; `start` if none."""
    if begins_with(buffer, start, line, ON, ON_BOUNDS):
        second = line_stop(buffer, min(line + 1, end), end)
        for stop in (line, second):
            last = stop
            while last > start and buffer[last - 1] <= 32:
                last -= 1
            wrote = last - start > 12 and holds_phrase(buffer, last - 7, last, WROTE, WROTE_BOUNDS)
            if wrote and has_time(buffer, start, last):
                return min(stop + 1, end)
    if begins_with(buffer, start, line, ORIGINAL, ORIGINAL_BOUNDS):
        i = min(line + 1, end)
        while i < end:
            stop = line_stop(buffer, i, end)
            blank = filled_line(buffer, i, stop) < 0
            if not blank and not begins_with(buffer, i, stop, FIELDS, FIELDS_BOUNDS):
                break
            i = min(stop + 1, end)
        return i
    return start


@declare("int64(uint8[::1], int64, int64)")
def has_time(buffer: np.ndarray, start: int, end: int) -> int:
    """Return 1 if there is a time of day, as in 9:30."""
    for i in range(start + 1, end - 2):
        if buffer[i] == 58 and is_digit(buffer[i - 1]) and is_digit(buffer[i + 1]) and is_digit(buffer[i + 2]):
            return 1
    return 0


@declare("int64(uint8[::1], int64, int64, uint8[::1], int64[::1])")
def begins_with(buffer: np.ndarray, start: int, end: int, phrases: np.ndarray, bounds: np.ndarray) -> int:
    """Return 1 if the line begins, after whitespace, with one of the phrases; arguments as of `holds_phrase`."""
    first = filled_line(buffer, start, end)
    if first < 0:
        return 0
    for k in range(len(bounds) - 1):
        size = bounds[k + 1] - bounds[k]
        if first + size <= end and holds_phrase(buffer, first, first + size, phrases, bounds[k : k + 2]):
            return 1
    return 0
