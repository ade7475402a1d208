"""The cleaner `licence_header`: the comment at the top of a code file that is its licence."""

from __future__ import annotations

import numpy as np

from pipeline.text.kernel import declare, int64
from pipeline.text.passages import filled_line, holds_phrase, line_stop, packed, skip_blank_lines
from pipeline.text.put import put_bytes

__all__ = ["remove_licence_header"]

LICENCE, LICENCE_BOUNDS = packed(
    [
        "spdx-license-identifier",
        "spdx-filecopyrighttext",
        "copyright (c)",
        "copyright ©",
        "copyright 19",
        "copyright 20",
        "copyright:",
        "copyright by",
        "copyright the",
        "(c) copyright",
        "© 20",
        "all rights reserved",
        "licensed under",
        "licensed to the apache",
        "apache license",
        "mit license",
        "bsd license",
        "bsd-style license",
        "general public license",
        "mozilla public license",
        "boost software license",
        "permission is hereby granted",
        "redistribution and use in source and binary",
        "permission to use, copy, modify",
        "released into the public domain",
        "placed in the public domain",
    ]
)
PREAMBLE, PREAMBLE_BOUNDS = packed(
    ["coding:", "coding=", "<?php", "<?xml", "<!doctype", "vim:", "frozen_string_literal"]
)
"""What a line above the header may hold besides a shebang; such lines stay."""


@declare("int64(uint8[::1], int64, int64, uint8[::1], int64)")
def remove_licence_header(buffer: np.ndarray, start: int, end: int, output: np.ndarray, at: int) -> int:
    r"""Write the row without its licence header, and return its new length in bytes.

    The header is the comment that stands first, after a shebang, a line that names the encoding, and the like, if it
    holds the wording of a licence or a copyright notice. It goes with the blank lines after it; so does a second such
    comment after it. A comment is a run of lines that begin with `//`, `#`, `--`, `;` or `%`, or a block `/* */`,
    `<!-- -->`, `(* *)` or `{- -}` that ends with its line. Docstrings and doc comments (`///`, `//!`) stay, and so
    does every other byte. Arguments as of `controls.remove_controls`.
    """
    first = start
    while first < end:  # lines that stay
        i = filled_line(buffer, first, end)
        if i < 0 or i >= end:
            break
        stop = line_stop(buffer, first, end)
        shebang = first == start and stop - first > 2 and buffer[first] == 35 and buffer[first + 1] == 33
        if not shebang and not is_preamble(buffer, first, stop):
            break
        first = min(stop + 1, end)
    body = skip_blank_lines(buffer, first, end)
    header = body
    while body < end:
        stop = comment_end(buffer, body, end)
        if stop <= body or not holds_phrase(buffer, body, stop, LICENCE, LICENCE_BOUNDS):
            break
        body = skip_blank_lines(buffer, stop, end)
    length = put_bytes(buffer, start, header, output, at, 0)
    return put_bytes(buffer, body, end, output, at, length)


@declare("int64(uint8[::1], int64, int64)")
def is_preamble(buffer: np.ndarray, start: int, end: int) -> int:
    """Return 1 for a short line that stays above the header."""
    if end - start > 120 or holds_phrase(buffer, start, end, LICENCE, LICENCE_BOUNDS):
        return 0
    return holds_phrase(buffer, start, end, PREAMBLE, PREAMBLE_BOUNDS)


@declare("int64(uint8[::1], int64, int64)")
def comment_end(buffer: np.ndarray, at: int, end: int) -> int:
    """Return where the line after the comment begins whose first line is at `at`; `at` if there is none."""
    mark = filled_line(buffer, at, end)
    if mark < 0:
        return at
    stop = block_end(buffer, mark, end)
    if stop:
        last = line_stop(buffer, stop, end)
        return min(last + 1, end) if filled_line(buffer, stop, last) < 0 else at
    width = marker_width(buffer, mark, end)
    if width == 0:
        return at
    family = buffer[mark]
    i = at
    while i < end:
        mark = filled_line(buffer, i, end)
        stop = line_stop(buffer, i, end)
        if mark < 0 or mark >= stop or buffer[mark] != family or marker_width(buffer, mark, end) == 0:
            break
        i = min(stop + 1, end)
    return i


@declare("int64(uint8[::1], int64, int64)")
def marker_width(buffer: np.ndarray, at: int, end: int) -> int:
    """Return how many bytes the mark of a line comment at `at` has, or 0.

    Not one is `#` before a small letter (`#include`), `//!`, or `///`.
    """
    byte = int64(buffer[at])
    after = int64(buffer[at + 1]) if at + 1 < end else 10
    if byte == 59 or byte == 37:
        return 1
    if byte == 35:
        return 0 if 97 <= after <= 122 or after == 91 or after == 33 else 1
    if byte == 47 and after == 47:
        third = int64(buffer[at + 2]) if at + 2 < end else 10
        fourth = int64(buffer[at + 3]) if at + 3 < end else 10
        return 0 if third == 33 or (third == 47 and fourth != 47) else 2
    return 2 if byte == 45 and after == 45 else 0


@declare("int64(uint8[::1], int64, int64)")
def block_end(buffer: np.ndarray, at: int, end: int) -> int:
    """Return one past the block comment at `at`, or 0."""
    if at + 4 > end:
        return 0
    a = int64(buffer[at])
    b = int64(buffer[at + 1])
    if a == 47 and b == 42:  # /* */
        first, second, width = 42, 47, 2
    elif a == 40 and b == 42:  # (* *)
        first, second, width = 42, 41, 2
    elif a == 123 and b == 45:  # {- -}
        first, second, width = 45, 125, 2
    elif a == 60 and b == 33 and buffer[at + 2] == 45 and buffer[at + 3] == 45:  # <!-- -->
        first, second, width = 45, 62, 4
    else:
        return 0
    for i in range(at + width, end - 1):
        if buffer[i] == first and buffer[i + 1] == second and (second != 62 or buffer[i - 1] == 45):
            return i + 2
    return 0
