"""The cleaner `boilerplate`: policy, cookie and copyright paragraphs around a text."""

from __future__ import annotations

import numpy as np

from pipeline.text.kernel import declare
from pipeline.text.passages import filled_line, holds_phrase, line_stop, packed, skip_blank_lines
from pipeline.text.put import put_bytes

__all__ = ["remove_boilerplate"]

LONGEST = 1000
"""Bytes that a boilerplate paragraph may have: a longer one is an article about privacy policies."""

POLICY, POLICY_BOUNDS = packed(
    [
        "terms of use",
        "terms of service",
        "terms and conditions",
        "terms & conditions",
        "privacy policy",
        "privacy overview",
        "privacy notice",
        "cookie policy",
        "cookie settings",
        "cookie preferences",
        "cookies policy",
        "uses cookies",
        "use of cookies",
        "use cookies",
        "accept all cookies",
        "accept cookies",
        "all rights reserved",
        "copyright ©",
        "copyright (c)",
        "copyright 19",
        "copyright 20",
        "© 19",
        "© 20",
    ]
)


@declare("int64(uint8[::1], int64, int64, uint8[::1], int64)")
def remove_boilerplate(buffer: np.ndarray, start: int, end: int, output: np.ndarray, at: int) -> int:
    """Write the row without boilerplate paragraphs at its top and bottom, and return its new length in bytes.

    A paragraph (lines between blank ones) of at most `LONGEST` bytes that holds one of the phrases `POLICY` goes if
    every paragraph before it, or every one after it, goes too. Blank lines beside it go as well. Arguments as of
    `controls.remove_controls`.
    """
    first = start
    last = end
    while True:
        paragraph = skip_blank_lines(buffer, first, last)
        if paragraph >= last:
            break
        stop = paragraph_end(buffer, paragraph, last)
        if not is_policy(buffer, paragraph, stop):
            break
        first = skip_blank_lines(buffer, stop, last)
    while first < last:
        stop = filled_end(buffer, first, last)
        paragraph = paragraph_start(buffer, first, stop)
        if stop <= first or not is_policy(buffer, paragraph, stop):
            break
        last = filled_end(buffer, first, paragraph)
    return put_bytes(buffer, first, last, output, at, 0)


@declare("int64(uint8[::1], int64, int64)")
def is_policy(buffer: np.ndarray, start: int, end: int) -> int:
    """Return 1 if a paragraph is boilerplate."""
    return 1 if end - start <= LONGEST and holds_phrase(buffer, start, end, POLICY, POLICY_BOUNDS) else 0


@declare("int64(uint8[::1], int64, int64)")
def paragraph_end(buffer: np.ndarray, at: int, end: int) -> int:
    """Return where the paragraph ends that begins at `at`: its last line break, or `end`."""
    i = at
    while True:
        stop = line_stop(buffer, i, end)
        if stop >= end or filled_line(buffer, stop + 1, line_stop(buffer, stop + 1, end)) < 0:
            return stop
        i = stop + 1


@declare("int64(uint8[::1], int64, int64)")
def paragraph_start(buffer: np.ndarray, start: int, end: int) -> int:
    """Return where the paragraph begins that ends at `end`."""
    found = end
    while found > start:
        i = found - 1  # the last byte of the line above, or its line break
        while i > start and buffer[i - 1] != 10:
            i -= 1
        if filled_line(buffer, i, found) < 0:
            break
        found = i
    return found


@declare("int64(uint8[::1], int64, int64)")
def filled_end(buffer: np.ndarray, start: int, end: int) -> int:
    """Return where the text ends without the blank lines at its end."""
    i = end
    while i > start:
        first = i - 1 if buffer[i - 1] == 10 else i  # the line's end
        stop = first
        while first > start and buffer[first - 1] != 10:
            first -= 1
        if filled_line(buffer, first, stop) >= 0:
            return stop
        i = first
    return start
