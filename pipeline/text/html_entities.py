"""HTML character references: `&amp;`, `&#38;`, `&#x26;`."""

from __future__ import annotations

from html.entities import html5, name2codepoint

import numpy as np

from pipeline.text.boundaries import is_digit, is_letter
from pipeline.text.kernel import declare, int64

__all__ = ["find_key", "reference_at"]

LONGEST = 8  # letters and digits of a name


def _key(name: str) -> int:
    key = 0
    for letter in name.encode():
        key = key * 128 + letter
    return key


_NAMES = sorted((_key(name), ord(html5[f"{name};"])) for name in [*name2codepoint, "apos"])
NAMES = np.array([key for key, _ in _NAMES], np.int64)
CODES = np.array([code for _, code in _NAMES], np.int64)
"""The names of HTML 4 and `apos`, as numbers to the base 128, and what they stand for today."""

WINDOWS = np.array([ord(bytes([byte]).decode("cp1252", "replace")) for byte in range(128, 160)], np.int64)
"""What browsers take `&#128;`…`&#159;` for (HTML standard, numeric character reference end state)."""


@declare("int64(uint8[::1], int64, int64, int64[::1])")
def reference_at(buffer: np.ndarray, at: int, end: int, found: np.ndarray) -> int:
    r"""Read the character reference at `at`, which is a `&`.

    `&amp;amp;lt;` is read as what it is in the end, `<`. A reference without `;`, of an unknown name, or to a
    control character, a surrogate or no code point at all is none.

    Args:
        buffer: Bytes of the column.
        at: Where the `&` stands.
        end: One past the row's last byte.
        found: Its first entry becomes the code point.

    Returns:
        One past the reference, or 0 if there is none.
    """
    i = at + 1
    stop = 0
    while i + 3 < end and buffer[i] == 97 and buffer[i + 1] == 109 and buffer[i + 2] == 112 and buffer[i + 3] == 59:
        i += 4
        stop = i
        found[0] = 38
    if i < end and buffer[i] == 35:
        code = 0
        i += 1
        base = 10
        if i < end and buffer[i] | 0x20 == 120:
            base = 16
            i += 1
        first = i
        while i < end and code < 0x110000:
            digit = digit_of(int64(buffer[i]))
            if digit >= base:
                break
            code = code * base + digit
            i += 1
        if 128 <= code < 160:
            code = WINDOWS[code - 128]
        sound = code == 9 or code == 10 or 32 <= code < 127 or 160 <= code < 0xD800 or 0xE000 <= code < 0x110000
        if i > first and i < end and buffer[i] == 59 and sound and code != 0xFFFD:
            found[0] = code
            return i + 1
        return stop
    key = 0
    first = i
    while i < end and i - first < LONGEST and (is_letter(buffer[i]) or is_digit(buffer[i])):
        key = key * 128 + int64(buffer[i])
        i += 1
    if i > first and i < end and buffer[i] == 59:
        place = find_key(NAMES, key)
        if place >= 0:
            found[0] = CODES[place]
            return i + 1
    return stop


@declare("int64(int64[::1], int64)")
def find_key(keys: np.ndarray, key: int) -> int:
    """Return where `key` stands among the sorted `keys`, or -1."""
    low = 0
    high = len(keys)
    while low < high:
        middle = (low + high) // 2
        if keys[middle] < key:
            low = middle + 1
        else:
            high = middle
    return low if low < len(keys) and keys[low] == key else -1


@declare("int64(int64)")
def digit_of(byte: int) -> int:
    """Return the value of a hexadecimal digit, or 99."""
    if 48 <= byte <= 57:
        return byte - 48
    if 97 <= byte | 0x20 <= 102:
        return (byte | 0x20) - 87
    return 99
