"""Personal data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tests.text.cases.rows import TEXT, as_bytes, as_rows

__all__ = ["cases"]


def cases() -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield (kernel, arguments)."""
    for row in as_rows():
        for at in (-1, 3):
            yield (
                "find.find_entities",
                (*row, 63, np.zeros(9, np.int64), np.zeros(9, np.int64), np.zeros(9, np.int8), at),
            )
    for byte in range(256):
        for name in ("boundaries.is_digit", "boundaries.is_letter"):
            yield name, (np.uint8(byte),)
    for prefix in (0, 4111, 3782, 5105, 2221, 6011, 6440, 3528, 3000, 5018, 6761, 9999):
        for digits in range(12, 21):
            yield "credit_card.has_issuer", (prefix, digits)
    for character in b"09AZaz":
        yield "iban.append", (96, character)
    yield from _places()


def _places() -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Kernels that look at one place: at every place where they may be called, or every fifth if that is all."""
    buffer, end = as_bytes(TEXT), len(TEXT)
    digit: Callable[[int], bool] = lambda byte: 48 <= byte <= 57  # noqa: E731
    anything: Callable[[int], bool] = lambda byte: True  # noqa: E731
    by_place = {
        "boundaries.digits_end": anything,
        "boundaries.continues": anything,
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
