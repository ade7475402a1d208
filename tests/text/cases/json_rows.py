"""Rows of JSON, read by a kernel."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import pipeline.text.json_rows  # noqa: F401  (ingest calls it, not the engine)
from tests.text.cases.rows import JSON, as_bytes, as_row

__all__ = ["cases"]

LINES: tuple[bytes, ...] = (
    rb' {"text": "a\u00e9 \ud83d\ude00\n long enough for a word", "n": [1, {"k": -0.5e+7}, [], {}], "o":null } ',
    b'{"n":true,"text":"x"}',
    b'{"text":"x"} x',
    b'{"text":"x","text":"y"}',
    b'{"text":"x","o":{"a":1,"a":2}}',
    b'{"text":" \\n\\t"}',
    b'{"text":"\xe3\x80\x80","a":[[[1]]]}',
    b'{"text":7}',
    b"{}",
    b'{"a":01}',
    b'{"a":1.}',
    b'{"a":1e999}',
    b'{"a":[1,]}',
    b'{"a":{"b":[{"c":{}}]}',
    b'["text"]',
    b"",
    JSON,
)
NUMBERS = as_bytes(b"true false null nul -1.5e-3, 007 -x 1.e 12e+ 9e123 8")


def cases() -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield (kernel, arguments)."""
    names = as_bytes(b"text"), np.array([0, 4])
    for line in LINES:
        row = as_row(line)
        scratch = np.zeros((8, 4), np.int64), np.zeros(4, np.int64)
        places = np.array([2, 0])
        yield "json_values.list_members", (*row, *scratch)
        outputs = np.zeros(256, np.uint8), places, np.zeros(256, np.uint8), 3
        yield "json_rows.read_texts", (*row, *names, *scratch, *outputs)
        for at in range(row[1], row[2], 3):
            rest = row[0], at, row[2]
            yield "json_values.skip_space", rest
            yield "json_values.string_stop", rest
            yield "json_values.escape_width", rest
            yield "json_values.key_stop", (*rest, np.zeros((3, 4), np.int64), 0, 2)
            yield "json_rows.is_filled", rest
            yield "json_rows.write_string", (*rest, np.zeros(256, np.uint8), 1)
    for at in range(len(NUMBERS)):
        yield "json_values.scalar_stop", (NUMBERS, at, len(NUMBERS))
    for at in range(len(NUMBERS) - 8):
        yield "json_values.load_word", (NUMBERS, at)
        yield "json_values.same", (NUMBERS, 0, 2, NUMBERS, at, at + 2)
        yield "json_values.spells", (NUMBERS, at, np.uint64(0x65757274), 4)
    for bits in (0x80, 0x8000, 0x8080000000000000, 0x8000000000000000, 0x8080808080808080):
        yield "load.first_byte", (np.uint64(bits),)
