"""JSON texts and their strings; what is in quotes, and places in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from pipeline.text.entities import ENTITIES
from tests.text.cases.rows import JSON, ROWS, as_bytes, as_row

__all__ = ["cases"]


def cases() -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield (kernel, arguments)."""
    for text in (b"", JSON, JSON[:-9], *ROWS):
        row = as_row(text)
        for kernel in ("json_escapes.decode_string", "json_escapes.encode_string"):
            yield kernel, (*row, np.zeros(0, np.uint8), -1)
            yield kernel, (*row, np.zeros(6 * len(text) + 2, np.uint8), 2)
        starts, ends = np.zeros(40, np.int64), np.zeros(40, np.int64)
        look = *row, 63, np.zeros(len(ENTITIES), np.int64), np.zeros(0, np.uint8)
        yield "json_strings.find_strings", (*look, starts, ends, -1)
        yield "json_strings.find_strings", (*look, starts, ends, 1)
        yield "json_strings.holds_entity", look
    buffer, end = as_bytes(JSON), len(JSON)
    values, bounds = as_bytes(b'a"\n\xff\x8d\x98\x83\x9d\xc3\xa9'), np.array([0, 2, 2, 10], np.int64)
    starts, ends = np.array([2, 8, 30], np.int64), np.array([4, 20, 31], np.int64)
    for strings in ((0, 3), (1, 2), (2, 2)):
        for output, at in ((np.zeros(0, np.uint8), -1), (np.zeros(256, np.uint8), 4)):
            yield "json_strings.splice_strings", (buffer, 1, end, starts, ends, *strings, values, bounds, output, at)
    for at in range(end):
        yield "json_strings.string_end", (buffer, at, end)
        yield "json_strings.holds_escape", (buffer, at, min(at + 5, end))
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
