"""Decoding is what Python's parser does, encoding what its writer does, and one undoes the other."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.text.json_escapes import decode_string, encode_string, encoded_length
from tests.text.json_texts import LONE, literals

Kernel = Callable[[np.ndarray, int, int, np.ndarray, int], int]


def write(kernel: Kernel, content: bytes) -> bytes:
    """Measure, then write, between neighbours that are none of the row's business."""
    results = set()
    for neighbour in (b"", b"\\", b"41", b"\\ude00", b'"', b"\x8f"):
        buffer = np.frombuffer(neighbour + content + neighbour, np.uint8)
        row = buffer, len(neighbour), len(neighbour) + len(content)
        length = kernel(*row, np.empty(0, np.uint8), -1)
        output = np.full(length + 3, ord("*"), np.uint8)
        assert kernel(*row, output, 2) == length
        assert output[:2].tobytes() + output[-1:].tobytes() == b"***"
        results.add(output[2:-1].tobytes())
    assert len(results) == 1
    return results.pop()


def decode(content: str) -> str:
    return write(decode_string, content.encode()).decode()


def encode(text: str) -> str:
    return write(encode_string, text.encode()).decode()


@settings(max_examples=300, deadline=None)
@given(literals)
def test_decodes_as_python_does(literal: str) -> None:
    content = LONE.sub(lambda escape: "?" if escape[1] else escape[0], literal[1:-1])
    assert decode(content) == json.loads(f'"{content}"')


@settings(max_examples=300, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from('"\\/\x00\x1f\n\t\x7f😀')))
def test_encodes_as_python_does_and_back(text: str) -> None:
    assert encode(text) == json.dumps(text, ensure_ascii=False)[1:-1]
    assert decode(encode(text)) == text
    content = np.frombuffer(b'"' + text.encode() + b'"', np.uint8)
    assert encoded_length(content, 1, len(content) - 1) == len(encode(text).encode())


def test_the_length_of_a_long_text() -> None:
    text = 'a line\n\twith "quotes"\x01' * 3000
    content = np.frombuffer(text.encode(), np.uint8)
    assert encoded_length(content, 0, len(content)) == len(json.dumps(text)) - 2


@settings(max_examples=300, deadline=None)
@given(literals)
def test_half_pairs_come_back_as_they_were(literal: str) -> None:
    decoded = write(decode_string, literal[1:-1].encode())
    assert len(decoded) <= len(literal.encode()) - 2
    again = write(encode_string, decoded).decode()
    assert json.loads(f'"{again}"') == json.loads(literal)
    halves = [[e[1] for e in LONE.finditer(text) if e[1]] for text in (literal, again)]
    assert halves[0] == halves[1]


@pytest.mark.parametrize("code", [0, 0x1F, 0x7F, 0x80, 0x7FF, 0x800, 0xD7FF, 0xE000, 0xFFFF, 0x10000, 0x10FFFF])
def test_every_width_of_utf8(code: int) -> None:
    escaped = json.dumps(chr(code))[1:-1]
    assert decode(escaped) == decode(escaped.upper().replace("\\U", "\\u")) == chr(code)


@settings(max_examples=300, deadline=None)
@given(
    st.binary(max_size=30)
    | st.lists(st.sampled_from([b"\\", b"u", b"d8", b"DE", b"00", b"\xff", b"\x80\x8f\x93"])).map(b"".join)
)
def test_bytes_that_are_no_json_neither_hang_nor_look_outside(content: bytes) -> None:
    assert len(write(decode_string, content)) <= len(content)
    assert len(write(encode_string, content)) <= 6 * len(content)


@pytest.mark.parametrize("content", [r"\x41", r"\u12", r"\u004", r"\u12g4", r"\u", "\\", "\\é", r"\U0041"])
def test_what_is_no_escape_stays(content: str) -> None:
    assert decode(content) == content


@pytest.mark.parametrize(
    "content", [b"\xff", b"\xff\x80\x81\x82", b"\xff\x80\x81\x82\xa0", b"\xff\xff\x80", b"\xff1234"]
)
def test_what_is_no_half_pair_stays(content: bytes) -> None:
    assert write(encode_string, content) == content
