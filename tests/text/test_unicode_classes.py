"""The table of classes is that of `unicodedata`, for every code point that both know."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest

from pipeline.text import unicode_data
from pipeline.text.characters import whitespace_width
from pipeline.text.unicode_classes import ROW_OF, ROWS, SPACE, UNICODE_VERSION, code_point, flags_of
from tests.text.unicode_runs import table, write

TABLE = ROWS.reshape(-1, 256)[ROW_OF].ravel()


def test_every_code_point() -> None:
    """With another Unicode version than the table's, those that the older one knows, save the few that moved."""
    different = np.flatnonzero(table() != TABLE)
    if unicodedata.unidata_version == UNICODE_VERSION:
        assert not len(different), [hex(code) for code in different]
        return
    both = [code for code in different if unicodedata.category(chr(code)) != "Cn" and TABLE[code] != TABLE[0xFFFF]]
    assert len(both) < 100, f"Unicode {unicodedata.unidata_version} against {UNICODE_VERSION}: {list(map(hex, both))}"


def test_the_file_is_what_the_generator_writes() -> None:
    if unicodedata.unidata_version != UNICODE_VERSION:
        pytest.skip(f"this Python has Unicode {unicodedata.unidata_version}, the table {UNICODE_VERSION}")
    with open(unicode_data.__file__, encoding="utf-8") as file:
        assert file.read() == write()


def test_a_code_point_is_read_as_it_was_written() -> None:
    for code in (
        *range(0, 0xD800, 37),
        *range(0xE000, 0x110000, 1013),
        0x7F,
        0x80,
        0x7FF,
        0x800,
        0xFFFF,
        0x10000,
        0x10FFFF,
    ):
        text = np.frombuffer(chr(code).encode() + b"x", np.uint8)
        assert code_point(text, 0, len(text)) == code
        assert flags_of(code) == TABLE[code]
        if code >= 0x80:
            assert code_point(text, 0, len(text) - 2) == -1


def test_whitespace_is_what_the_cleaners_take_for_it() -> None:
    for code in range(0x3100):
        text = np.frombuffer(chr(code).encode(), np.uint8)
        assert (TABLE[code] & SPACE != 0) == (whitespace_width(text, 0, len(text)) > 0), hex(code)
