"""Rows that kernels are run on."""

from __future__ import annotations

import numpy as np

__all__ = ["JSON", "ROWS", "TEXT", "WORDS_OF_EIGHT", "as_bytes", "as_row", "as_rows"]

ROWS: tuple[bytes, ...] = (
    b"",
    b"a",
    b"\n",
    "  Ünï\u00a0code\ufeff\u2003and\u0085controls\x00\x7f\u009f\u2028end \r\n\r\n\n\n\n x\r".encode(),
    "שלום \u200fעולם\u3000你好\u1680world\u205f\u202f 🙂".encode(),
    b"the cat sat on the mat the cat ran\n\nthe cat sat\n\nthe cat sat\nthe cat sat\n",
    b"see https://a.io/x_y~z#frag%41%4 now http:// https http://b.c",
    b"write to Bob.O'Neil+x@mail.example.com, f\xc3\xb6o@b\xc3\xa4r.xn--p1ai or git@github.com; a@b @c user@localhost",
    b"(415) 555-0123 1-415-555-0123 415.555.0123x9 +44 (0)20 7946 0123 020 7946 0123 01632 960123 +2024-05-17 12-34",
    b"8.8.8.8 10.0.0.1 version 1.2.3.4 ==1.2.3.4 2001:db8::1.2.3.4 [2606:4700::1111] ::ffff:8.8.4.4 2a00:1:2:3:4:5:6:7",
    b"4111 1111 1111 1111, 378282246310005 5105-1051-0510-5100 4111111111111112 378-05-1120 900-12-3456 666-01-0001",
    b"DE89 3704 0044 0532 0130 00 GB82WEST12345698765432 DE89370400440532013001 XX00",
    b"\xff\xfe lone \x80\xbf lead \xc3\xe2\x80 \xe2 \xf0\x9f\xc2",
)
"""Plain and hostile rows: no text, every kind of whitespace and entity, and bytes that are no UTF-8."""

JSON = (
    rb'{"a@b.com": [4111111111111111, "", "jane\u0040c\u00E9.org \uD83D\ude00 \ud83D\n\x\u12 \u20ac"], '
    rb'"\"\\\/\b\f\r\t\u0001": {"plain": "8.8.8.8"}, "cut \\'
)
"""Every kind of escape, some that are none, and no end."""

TEXT = b"".join(ROWS)

WORDS_OF_EIGHT = (
    b"in prose",
    b"a\tb\nc\rd\0",
    b"<b>&_c_ ",
    b"100 %40 ",
    bytes(8),
    b"\x7f" * 8,
    "naïve é".encode()[:8],
)
"""Eight bytes each, as kernels look at them at once."""


def as_bytes(text: bytes) -> np.ndarray:
    """A buffer; read-only, as the engine's columns are."""
    return np.frombuffer(text, np.uint8)


def as_row(text: bytes) -> tuple[np.ndarray, int, int]:
    """A row between two others, whose bytes no kernel may look at."""
    return as_bytes(b"x9@." + text + b"9.@x"), 4, 4 + len(text)


def as_rows() -> list[tuple[np.ndarray, int, int]]:
    """All of `ROWS`."""
    return [as_row(row) for row in ROWS]
