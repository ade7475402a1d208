"""JSON texts and their strings; what is in quotes, and places in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tests.text.cases.rows import JSON, ROWS, as_bytes, as_row

__all__ = ["cases"]


def cases() -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield (kernel, arguments)."""
    for text in (b"", JSON, JSON[:-9], *ROWS):
        row = as_row(text)
        for kernel in ("json_escapes.decode_string", "json_escapes.encode_string"):
            yield kernel, (*row, np.zeros(0, np.uint8), -1)
            yield kernel, (*row, np.zeros(6 * len(text) + 2, np.uint8), 2)
        yield "json_escapes.encoded_length", row
        starts, ends, objects = np.zeros((3, 40), np.int64)
        for at in (-1, 1):
            yield "json_strings.list_scalars", (*row, starts, ends, np.zeros(40, np.int8), objects, at)
    buffer, end = as_bytes(JSON), len(JSON)
    values, bounds = as_bytes(b'a"\n\xff\x8d\x98\x83\x9d\xc3\xa9'), np.array([0, 2, 2, 10], np.int64)
    starts, ends = np.array([2, 12, 30], np.int64), np.array([4, 28, 31], np.int64)
    scalars = starts, ends, np.array([3, 1, 0], np.int8)
    for which in ((0, 3), (1, 2), (2, 2)):
        for output, at in ((np.zeros(0, np.uint8), -1), (np.zeros(256, np.uint8), 4)):
            yield "json_strings.splice_scalars", (buffer, 1, end, *scalars, *which, values, bounds, output, at)
    for at in range(end):
        yield "json_strings.string_end", (buffer, at, end)
        yield "json_strings.space_end", (buffer, at, end)
        yield "json_strings.number_end", (buffer, at, end)
        yield "json_strings.is_integer", (buffer, at, min(at + 3, end))
        yield "json_escapes.code_unit", (buffer, at, end)
        yield "json_escapes.is_lone", (values, at % 10, 10)
    for byte in range(256):
        yield "json_escapes.digit_value", (np.uint8(byte),)
    for value in range(16):
        yield "json_escapes.hexadecimal", (value, value & 1)
    for at in (-1, 1):
        yield "json_escapes.write_lone", (as_bytes(b"xDb0f"), 1, np.zeros(8, np.uint8), at)
        for code in (0x41, 0xE9, 0x7FF, 0x20AC, 0x1F600):
            yield "json_escapes.write_character", (code, np.zeros(8, np.uint8), at)
