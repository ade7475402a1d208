"""Numbers of payment cards."""

from __future__ import annotations

import numpy as np

from pipeline.text.boundaries import continues, digits_end, follows
from pipeline.text.kernel import declare, int64

__all__ = ["match_credit_card"]


@declare("int64(uint8[::1], int64, int64, int64)")
def match_credit_card(buffer: np.ndarray, floor: int, at: int, end: int) -> int:
    """Return where the card number that begins at `at` ends, or 0.

    13 to 19 digits with an issuer's prefix and a right check digit (Luhn, ISO/IEC 7812-1), in one run or with one kind
    of separator (space or hyphen) in groups of 4-4-4-1…4(-1…3), 4-6-5 or 4-6-4.

    Args:
        buffer: Bytes of the column.
        floor: Bytes before it are out of sight.
        at: A digit.
        end: One past the row's last byte.
    """
    if follows(buffer, floor, at):
        return 0
    first = digits_end(buffer, at, end)
    if first - at >= 13:
        valid = first - at <= 19 and not continues(buffer, first, end) and is_card(buffer, at, first)
        return first if valid else 0
    if first - at != 4 or first >= end or (buffer[first] != 32 and buffer[first] != 45):
        return 0
    separator = buffer[first]
    found = 0
    second = 0  # digits in the second group
    stop = first
    for group in range(1, 5):
        if stop >= end or buffer[stop] != separator:
            break
        begin = stop + 1
        stop = digits_end(buffer, begin, end)
        size = stop - begin
        if group == 1:
            second = size
            if size != 4 and size != 6:
                break
        elif second == 6:
            if (size == 5 or size == 4) and not continues(buffer, stop, end) and is_card(buffer, at, stop):
                found = stop
            break
        else:
            if size == 0 or size > 4:
                break
            if group >= 3 and not continues(buffer, stop, end) and is_card(buffer, at, stop):
                found = stop
            if size < 4:
                break
    return found


@declare("int64(uint8[::1], int64, int64)")
def is_card(buffer: np.ndarray, start: int, end: int) -> int:
    """Return 1 if the digits in `[start, end)`, separators skipped, have an issuer's prefix and a right check digit."""
    digits = 0
    prefix = 0  # the first four digits
    for i in range(start, end):
        if 48 <= buffer[i] <= 57:
            if digits < 4:
                prefix = 10 * prefix + int64(buffer[i]) - 48
            digits += 1
    if not has_issuer(prefix, digits):
        return 0
    total = 0
    place = digits
    for i in range(start, end):
        if 48 <= buffer[i] <= 57:
            value = int64(buffer[i]) - 48
            if place % 2 == 0:
                value *= 2
                if value > 9:
                    value -= 9
            total += value
            place -= 1
    return 1 if total % 10 == 0 else 0


@declare("int64(int64, int64)")
def has_issuer(prefix: int, digits: int) -> int:
    """Return 1 if a known issuer has cards of so many digits that begin with the four of `prefix`."""
    two = prefix // 100
    three = prefix // 10
    if two == 34 or two == 37:  # American Express
        known = digits == 15
    elif 40 <= two <= 49:  # Visa
        known = digits == 13 or digits == 16 or digits == 19
    elif 51 <= two <= 55 or 2221 <= prefix <= 2720:  # Mastercard
        known = digits == 16
    elif (
        (prefix == 6011 or two == 65 or 644 <= three <= 649)  # Discover
        or two == 62  # UnionPay
        or 3528 <= prefix <= 3589  # JCB
        or 2200 <= prefix <= 2204  # Mir
    ):
        known = 16 <= digits <= 19
    elif 300 <= three <= 305 or two == 36 or two == 38 or two == 39:  # Diners Club
        known = digits == 14 or 16 <= digits <= 19
    elif prefix == 5018 or prefix == 5020 or prefix == 5038 or prefix == 5893 or prefix == 6304 or prefix == 6759:
        known = 13 <= digits <= 19  # Maestro
    else:
        known = 6761 <= prefix <= 6763 and 13 <= digits <= 19  # Maestro
    return 1 if known else 0
