"""The content of a JSON string as text, and back (RFC 8259, section 7)."""

from __future__ import annotations

import numpy as np

from pipeline.text.kernel import declare, int64

__all__ = ["decode_string", "encode_string", "encoded_length"]

LONE = 0xFF
"""Stands for the backslash and `u` of half a surrogate pair, which is no character; UTF-8 never has this byte."""

ESCAPES = np.full(128, -1, np.int64)
r"""The second character of a short escape → the character: n → \n."""
for _letter, _character in zip(b'"\\/bfnrt', b'"\\/\b\f\n\r\t', strict=True):
    ESCAPES[_letter] = _character

LETTERS = np.full(128, -1, np.int64)
r"""A character that needs an escape and has a short one → its second character: \n → n."""
for _letter, _character in zip(b'"\\bfnrt', b'"\\\b\f\n\r\t', strict=True):
    LETTERS[_character] = _letter


@declare("int64(uint8[::1], int64, int64, uint8[::1], int64)")
def decode_string(buffer: np.ndarray, start: int, end: int, output: np.ndarray, at: int) -> int:
    r"""Write the text that the content of a string stands for, and return its length in bytes, never more than before.

    Half a surrogate pair (`\ud83d` alone) is kept in a form that no entity matches and that `encode_string` turns back
    into the same six bytes: `LONE`, then each digit as 0x80 + its value, + 16 for a capital. What is no escape in JSON
    stays as it is.

    Args:
        buffer: Bytes of the column; what stands between the quotes is `[start, end)`.
        start: Its first byte.
        end: One past its last byte, the closing quote.
        output: Where to write.
        at: Where in `output`; below 0, nothing is written and only the length is measured.
    """
    length = 0
    i = start
    while i < end:
        byte = int64(buffer[i])
        i += 1
        if byte == 92 and i < end:
            letter = int64(buffer[i])
            if letter == 117:  # u
                code = code_unit(buffer, i - 1, end)
                if 0xD800 <= code < 0xDC00:
                    low = code_unit(buffer, i + 5, end)
                    if 0xDC00 <= low < 0xE000:
                        code = 0x10000 + ((code - 0xD800) << 10) + low - 0xDC00
                        i += 6
                if 0xD800 <= code < 0xE000:
                    length += write_lone(buffer, i + 1, output, at + length if at >= 0 else -1)
                    i += 5
                    continue
                if code >= 0:
                    length += write_character(code, output, at + length if at >= 0 else -1)
                    i += 5
                    continue
            elif letter < 128 and ESCAPES[letter] >= 0:
                byte = ESCAPES[letter]
                i += 1
        if at >= 0:
            output[at + length] = byte
        length += 1
    return length


@declare("int64(uint8[::1], int64, int64, uint8[::1], int64)")
def encode_string(buffer: np.ndarray, start: int, end: int, output: np.ndarray, at: int) -> int:
    r"""Write a text as the content of a string, and return its length in bytes.

    Escaped is only what must be: quotes, backslashes and the controls below U+0020, by a short escape where there is
    one; and the `LONE` halves of `decode_string`. Arguments as of `decode_string`.
    """
    length = 0
    i = start
    while i < end:
        byte = int64(buffer[i])
        if byte == LONE and is_lone(buffer, i + 1, end):
            if at >= 0:
                output[at + length] = 92
                output[at + length + 1] = 117
                for k in range(4):
                    digit = int64(buffer[i + 1 + k])
                    output[at + length + 2 + k] = hexadecimal(digit & 15, digit & 16)
            length += 6
            i += 5
            continue
        i += 1
        if byte < 128 and LETTERS[byte] >= 0:
            if at >= 0:
                output[at + length] = 92
                output[at + length + 1] = LETTERS[byte]
            length += 2
        elif byte < 32:
            if at >= 0:
                output[at + length] = 92
                output[at + length + 1] = 117
                output[at + length + 2] = 48
                output[at + length + 3] = 48
                output[at + length + 4] = 48 + (byte >> 4)
                output[at + length + 5] = hexadecimal(byte & 15, 0)
            length += 6
        else:
            if at >= 0:
                output[at + length] = byte
            length += 1
    return length


@declare("int64(uint8[::1], int64, int64)")
def encoded_length(buffer: np.ndarray, start: int, end: int) -> int:
    """Return the length that `encode_string` gives a text in UTF-8."""
    length = end - start
    i = start
    while i < end:
        # Many bytes are compared at once where the sums are narrow; these cannot overflow.
        stop = min(i + 16384, end)
        quotes = np.int32(0)
        controls = np.int32(0)
        short = np.int32(0)
        for k in range(np.uint64(i), np.uint64(stop)):
            byte = buffer[k]
            quotes += np.int32((byte == 34) | (byte == 92))
            controls += np.int32(byte < 32)
            short += np.int32((byte >= 8) & (byte <= 13) & (byte != 11))
        length += int64(quotes) + 5 * int64(controls) - 4 * int64(short)
        i = stop
    return length


@declare("int64(uint8[::1], int64, int64)")
def code_unit(buffer: np.ndarray, at: int, end: int) -> int:
    r"""Return the UTF-16 code unit of the escape `\uXXXX` at `at`, or -1 if there is none."""
    if at + 6 > end or buffer[at] != 92 or buffer[at + 1] != 117:
        return -1
    code = 0
    for i in range(at + 2, at + 6):
        value = digit_value(buffer[i])
        if value < 0:
            return -1
        code = code << 4 | value
    return code


@declare("int64(uint8)")
def digit_value(digit: np.uint8) -> int:
    """Return the value of a hexadecimal digit, or -1."""
    c = int64(digit)
    if 48 <= c <= 57:
        return c - 48
    c |= 0x20
    return c - 87 if 97 <= c <= 102 else -1


@declare("int64(int64, int64)")
def hexadecimal(value: int, capital: int) -> int:
    """Return the hexadecimal digit of a value below 16, a small letter or, unless `capital` is 0, a capital one."""
    if value < 10:
        return 48 + value
    return 55 + value if capital else 87 + value


@declare("int64(uint8[::1], int64, uint8[::1], int64)")
def write_lone(buffer: np.ndarray, digits: int, output: np.ndarray, at: int) -> int:
    """Write `LONE` and the four hexadecimal digits at `digits`, and return the length; `at` below 0 writes nothing."""
    if at >= 0:
        output[at] = LONE
        for k in range(4):
            digit = buffer[digits + k]
            capital = 16 if 65 <= digit <= 70 else 0
            output[at + 1 + k] = 0x80 + digit_value(digit) + capital
    return 5


@declare("int64(uint8[::1], int64, int64)")
def is_lone(buffer: np.ndarray, at: int, end: int) -> int:
    """Return 1 if four digits in the form of `write_lone` begin at `at`."""
    if at + 4 > end:
        return 0
    for i in range(at, at + 4):
        if not 0x80 <= buffer[i] < 0xA0:
            return 0
    return 1


@declare("int64(int64, uint8[::1], int64)")
def write_character(code: int, output: np.ndarray, at: int) -> int:
    """Write a code point as UTF-8, and return its length in bytes; `at` below 0 writes nothing."""
    if code < 0x80:
        if at >= 0:
            output[at] = code
        return 1
    if code < 0x800:
        if at >= 0:
            output[at] = 0xC0 | code >> 6
            output[at + 1] = 0x80 | code & 0x3F
        return 2
    if code < 0x10000:
        if at >= 0:
            output[at] = 0xE0 | code >> 12
            output[at + 1] = 0x80 | code >> 6 & 0x3F
            output[at + 2] = 0x80 | code & 0x3F
        return 3
    if at >= 0:
        output[at] = 0xF0 | code >> 18
        output[at + 1] = 0x80 | code >> 12 & 0x3F
        output[at + 2] = 0x80 | code >> 6 & 0x3F
        output[at + 3] = 0x80 | code & 0x3F
    return 4
