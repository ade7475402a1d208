"""Arguments for every kernel: what the CPU, the simulator and PTX are compared on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import pipeline.engines.loops  # noqa: F401  (it imports every kernel)
from pipeline.text.entities import ENTITIES
from pipeline.text.hashing import slots_for
from pipeline.text.kernel import KERNELS
from pipeline.text.signals import MEASURES

Case = tuple[str, tuple[Any, ...]]

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
HASHES = np.array([7, 9, 7, 9, 7, 3, 0, 0, 1, 7, 9], np.uint64)
LENGTHS = np.array([3, 1, 3, 1, 3, 5, 2, 2, 9, 3, 1], np.int64)
SKETCHES = np.random.default_rng(0).integers(0, 4, (2, 16), np.uint32)


def cases() -> Iterator[Case]:
    """Yield (kernel, arguments) for every declared kernel; arrays are fresh each time."""
    rows = [_row(row) for row in ROWS]
    for name in ("controls.remove_controls", "newlines.unify_newlines", "whitespace.trim_whitespace", "normalise.fold"):
        for row in rows:
            yield name, (*row, np.zeros(0, np.uint8), -1)
            yield name, (*row, np.zeros(256, np.uint8), 3)
    for row in rows:
        size = row[2] - row[1]
        words = size // 2 + 1
        slots = slots_for(words)
        scratch = np.zeros((3, words), np.uint64), np.zeros(words, np.int64)
        table = np.zeros(slots, np.uint64), np.zeros(slots, np.uint64)
        yield "signals.measure", (*row, *scratch, *table, np.zeros(len(MEASURES), np.int64))
        yield "urls.count_url_characters", row
        yield "digest.digest", (*row, np.zeros(2, np.uint64))
        yield "sketch.sketch", (*row, 4, np.zeros(16, np.uint64), np.zeros(16, np.uint32))
        yield "characters.needs_normalising", (*row, 0x80)
        for wanted in (63, 1, 2, 12):
            counts = np.zeros(len(ENTITIES), np.int64)
            yield "redact.redact", (*row, wanted, counts, np.zeros(0, np.uint8), -1)
        yield "redact.redact", (*row, 63, np.zeros(len(ENTITIES), np.int64), np.zeros(256, np.uint8), 5)
        if size:
            yield "sketch.fill", (*row, 4, 0, -1, np.full(16, 2**64 - 1, np.uint64))
            yield "sketch.fill", (*row, 4, 20, 4, np.full(16, 2**64 - 1, np.uint64))
    bounds = np.array([0, 5, 5, 40, len(TEXT)], np.int64)
    bounds.flags.writeable = False
    for first, last in ((0, 0), (0, 3), (2, 4)):
        yield "join.join_contents", (_bytes(TEXT), bounds, first, last, np.zeros(len(TEXT) + 8, np.uint8), 1)
        yield "join.join_contents", (_bytes(TEXT), bounds, first, last, np.zeros(0, np.uint8), -1)
    yield from _places()
    yield from _numbers()
    yield from _json()


def _places() -> Iterator[Case]:
    """Kernels that look at one place: at every place where they may be called, or every fifth if that is all."""
    buffer, end = _bytes(TEXT), len(TEXT)
    digit: Callable[[int], bool] = lambda byte: 48 <= byte <= 57  # noqa: E731
    anything: Callable[[int], bool] = lambda byte: True  # noqa: E731
    by_place = {
        "characters.whitespace_width": anything,
        "controls.control_width": anything,
        "newlines.break_width": anything,
        "whitespace.space_width": anything,
        "urls.url_character_width": anything,
        "boundaries.digits_end": anything,
        "boundaries.continues": anything,
        "digest.load": anything,
        "email.letter_width": anything,
        "email.match_email": lambda byte: chr(byte).isascii() and (chr(byte).isalnum() or byte == 95),
        "email.domain_end": anything,
        "ip.match_ipv4": digit,
        "ip.match_ipv6": digit,
        "ip.match_octets": digit,
        "phone.match_north_american": lambda byte: digit(byte) or byte == 40,
        "phone.match_international": lambda byte: byte == 43,
        "phone.extension_end": anything,
        "phone.match_trunk": lambda byte: byte == 48,
    }
    after_floor = {
        "ip.match_ip": digit,
        "phone.match_phone": lambda byte: digit(byte) or byte in b"+(",
        "credit_card.match_credit_card": digit,
        "ssn.match_ssn": digit,
        "iban.match_iban": lambda byte: chr(byte).isascii() and chr(byte).isalpha(),
    }
    for name, allowed in by_place.items():
        for at in range(0, end, 5 if allowed is anything else 1):
            if allowed(TEXT[at]):
                yield name, (buffer, at, end)
    for name, allowed in after_floor.items():
        for at in range(end):
            if allowed(TEXT[at]):
                yield name, (buffer, 0, at, end)
                yield name, (buffer, at, at, min(at + 12, end))
    for at in range(0, end, 3):
        yield "boundaries.follows", (buffer, 0, at)
        yield "ip.is_version", (buffer, max(at - 20, 0), at)
    for at in range(0, end, 7):
        yield "credit_card.is_card", (buffer, at, min(at + 19, end))


def _numbers() -> Iterator[Case]:
    for byte in range(256):
        for name in ("boundaries.is_digit", "boundaries.is_letter", "urls.is_hexadecimal"):
            yield name, (np.uint8(byte),)
    for value in (0, 1, 0xDEADBEEF, 2**64 - 1):
        yield "hashing.mix", (np.uint64(value),)
        yield "hashing.add_byte", (np.uint64(value), np.uint8(value & 255))
        yield "digest.rotate", (np.uint64(value), 31)
    for items in (0, 1, 2, 3, 1000):
        yield "hashing.slots_for", (items,)
    for prefix in (0, 4111, 3782, 5105, 2221, 6011, 6440, 3528, 3000, 5018, 6761, 9999):
        for digits in range(12, 21):
            yield "credit_card.has_issuer", (prefix, digits)
    for character in b"09AZaz":
        yield "iban.append", (96, character)
    words = len(HASHES)
    slots = slots_for(words)
    yield "repetition.count_distinct", (HASHES, 0, words, np.zeros(slots, np.uint64))
    yield "repetition.count_distinct", (HASHES, 2, 2, np.zeros(slots, np.uint64))
    for size in (2, 3, 4):
        table = np.zeros(slots, np.uint64), np.zeros(slots, np.uint64)
        yield "repetition.top_ngram_characters", (HASHES, LENGTHS, words, size, *table)
        yield "repetition.hash_ngram", (HASHES, 3, size)
    yield "bands.count_equal", (SKETCHES[0].copy(), SKETCHES[1].copy())
    yield "bands.band_keys", (SKETCHES[0].copy(), 4, np.zeros(4, np.uint64))


def _json() -> Iterator[Case]:
    """JSON texts and their strings; what is in quotes, and places in it."""
    for text in (b"", JSON, JSON[:-9], *ROWS):
        row = _row(text)
        for kernel in ("json_escapes.decode_string", "json_escapes.encode_string"):
            yield kernel, (*row, np.zeros(0, np.uint8), -1)
            yield kernel, (*row, np.zeros(6 * len(text) + 2, np.uint8), 2)
        starts, ends = np.zeros(40, np.int64), np.zeros(40, np.int64)
        look = *row, 63, np.zeros(len(ENTITIES), np.int64), np.zeros(0, np.uint8)
        yield "json_strings.find_strings", (*look, starts, ends, -1)
        yield "json_strings.find_strings", (*look, starts, ends, 1)
        yield "json_strings.holds_entity", look
    buffer, end = _bytes(JSON), len(JSON)
    values, bounds = _bytes(b'a"\n\xff\x8d\x98\x83\x9d\xc3\xa9'), np.array([0, 2, 2, 10], np.int64)
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
        yield "json_escapes.write_lone", (_bytes(b"xDb0f"), 1, np.zeros(8, np.uint8), at)
        for code in (0x41, 0xE9, 0x7FF, 0x20AC, 0x1F600):
            yield "json_escapes.write_character", (code, np.zeros(8, np.uint8), at)


def run(case: Case, call: Callable[..., Any]) -> tuple[Any, ...]:
    """Call a kernel through `call` and return its result and what it wrote: every writable array, as bytes."""
    _, arguments = case
    arguments = tuple(a.copy() if _is_output(a) else a for a in arguments)
    result = call(*arguments)
    return int(result), *(a.tobytes() for a in arguments if _is_output(a))


def _is_output(argument: Any) -> bool:
    return isinstance(argument, np.ndarray) and argument.flags.writeable


def names() -> set[str]:
    """Return the names of all declared kernels."""
    return set(KERNELS)


def _bytes(text: bytes) -> np.ndarray:
    return np.frombuffer(text, np.uint8)  # read-only, as the engine's columns are


def _row(text: bytes) -> tuple[np.ndarray, int, int]:
    """A row between two others, whose bytes no kernel may look at."""
    return _bytes(b"x9@." + text + b"9.@x"), 4, 4 + len(text)
