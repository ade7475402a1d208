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
    of separator (space or hyphen) in groups of 4-4-4-1…4(-1…3), 4-6-5 or 4-6-4; three more digits behind 4-4-4-4 are
    the card's verification code, and part of the match.

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
    card = False  # four groups of four are a card's number
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
            whole = group >= 3 and not continues(buffer, stop, end)
            if whole and ((card and size == 3 and separator == 45) or is_card(buffer, at, stop)):
                found = stop
            card = size == 4 and is_card(buffer, at, stop) != 0
            if size < 4:
                break
    return found


@declare("int64(uint8[::1], int64, int64)")
def is_card(buffer: np.ndarray, start: int, end: int) -> int:
    """Return 1 if the digits in `[start, end)`, separators skipped, have an issuer's prefix and a right check digit."""
    digits = 0
    prefix = 0  # the first four digits
    odd = 0  # the sum of the digits at odd places from the left, and doubled at even ones
    even = 0  # the other way round
    for i in range(start, end):
        if 48 <= buffer[i] <= 57:
            value = int64(buffer[i]) - 48
            if digits < 4:
                prefix = 10 * prefix + value
            doubled = 2 * value - 9 if value > 4 else 2 * value
            digits += 1
            odd += value if digits % 2 else doubled
            even += doubled if digits % 2 else value
    if (odd if digits % 2 else even) % 10:
        return 0
    for k in range(len(ISSUERS)):
        if ISSUERS[k, 0] <= prefix <= ISSUERS[k, 1] and ISSUERS[k, 2] >> digits & 1:
            return 1
    return 0


def _lengths(*digits: int) -> int:
    return sum(1 << count for count in digits)


_LONG = _lengths(16, 17, 18, 19)
_ANY = _lengths(13, 14, 15, 16, 17, 18, 19)

ISSUERS = np.array(
    [
        (3400, 3499, _lengths(15)),  # American Express
        (3700, 3799, _lengths(15)),
        (4000, 4999, _lengths(13, 16, 19)),  # Visa
        (5100, 5599, _lengths(16)),  # Mastercard
        (2221, 2720, _lengths(16)),
        (6011, 6011, _LONG),  # Discover
        (6440, 6599, _LONG),
        (6200, 6299, _LONG),  # UnionPay
        (3528, 3589, _LONG),  # JCB
        (2200, 2204, _LONG),  # Mir
        (3000, 3059, _LONG | _lengths(14)),  # Diners Club
        (3600, 3699, _LONG | _lengths(14)),
        (3800, 3999, _LONG | _lengths(14)),
        (5018, 5018, _ANY),  # Maestro
        (5020, 5020, _ANY),
        (5038, 5038, _ANY),
        (5893, 5893, _ANY),
        (6304, 6304, _ANY),
        (6759, 6759, _ANY),
        (6761, 6763, _ANY),
    ],
    np.int64,
)
"""The first and the last prefix (four digits) of an issuer's cards, and one bit for each number of digits they have."""
