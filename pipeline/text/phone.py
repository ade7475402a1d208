"""Telephone numbers, of the forms that little else has."""

from __future__ import annotations

import numpy as np

from pipeline.text.boundaries import continues, digits_end, follows, is_digit
from pipeline.text.kernel import declare, int64

__all__ = ["match_phone"]


@declare("int64(uint8[::1], int64, int64, int64)")
def match_phone(buffer: np.ndarray, floor: int, at: int, end: int) -> int:
    """Return where the telephone number that begins at `at` ends, or 0.

    - international: `+` and 9 to 15 digits, in groups or not (`+44 20 7946 0123`, `+1 (415) 555-0123`);
    - North American: `(415) 555-0123`, `415-555-0123`, `415.555.0123`, with or without `1` or `001` before, area and
      exchange from 200;
    - with a trunk 0: `020 7946 0123`, `0161 496 0123`, `01632 960123`;
    - the first two also with an extension: `x123`.

    Numbers that are part of a longer one, dates, versions and bare runs of digits stay.

    Args:
        buffer: Bytes of the column.
        floor: Bytes before it are out of sight.
        at: A digit, `+` or `(`.
        end: One past the row's last byte.
    """
    first = buffer[at]
    if first == 40:  # (
        if at > floor and is_digit(buffer[at - 1]):
            return 0
        return match_north_american(buffer, at, end)
    if follows(buffer, floor, at):
        return 0
    if first == 43:  # +
        return match_international(buffer, at, end)
    one = digits_end(buffer, at, end)
    prefix = one - at
    if (prefix == 1 and first == 49) or (prefix == 3 and first == 48 and buffer[at + 1] == 48 and buffer[at + 2] == 49):
        if one < end and (buffer[one] == 45 or buffer[one] == 46 or buffer[one] == 32):
            return match_north_american(buffer, one + 1, end)
        return 0
    return match_trunk(buffer, at, end) if first == 48 else match_north_american(buffer, at, end)


@declare("int64(uint8[::1], int64, int64)")
def match_north_american(buffer: np.ndarray, at: int, end: int) -> int:
    """Return where the ten digits that begin at `at` end, or 0."""
    if at >= end:
        return 0
    bracket = buffer[at] == 40
    area = at + 1 if bracket else at
    if digits_end(buffer, area, end) - area != 3 or buffer[area] < 50 or area + 3 >= end:
        return 0
    exchange = area + 3
    separator = int64(buffer[exchange])
    if bracket:
        if separator != 41:  # )
            return 0
        exchange += 1
        if exchange < end and (buffer[exchange] == 32 or buffer[exchange] == 45 or buffer[exchange] == 46):
            exchange += 1
    else:
        if separator != 45 and separator != 46:
            return 0
        exchange += 1
    if digits_end(buffer, exchange, end) - exchange != 3 or buffer[exchange] < 50 or exchange + 3 >= end:
        return 0
    last = int64(buffer[exchange + 3])
    if last != separator and not (bracket and (last == 45 or last == 46 or last == 32)):
        return 0
    line = exchange + 4
    if digits_end(buffer, line, end) - line != 4:
        return 0
    stop = extension_end(buffer, line + 4, end)
    return 0 if continues(buffer, stop, end) else stop


@declare("int64(uint8[::1], int64, int64)")
def match_international(buffer: np.ndarray, at: int, end: int) -> int:
    """Return where the number after the `+` at `at` ends, or 0: the longest of whole groups of digits that fits.

    11 digits after `+1` (the North American plan), else 9 to 15 (ITU E.164), in groups at most 13, so that a number
    which only stands beside it is not taken in.
    """
    i = at + 1
    if i >= end or buffer[i] < 49 or buffer[i] > 57:
        return 0
    if digits_end(buffer, i, end) - i == 4 and i + 7 < end and buffer[i + 4] == 45 and buffer[i + 7] == 45:
        return 0  # +2024-05-17: a date in a patch
    north_american = buffer[i] == 49
    if north_american and i + 1 < end and 48 <= buffer[i + 1] <= 49:
        return 0  # no area begins with 0 or 1
    found = 0
    digits = 0
    groups = 0
    while i < end:
        stop = digits_end(buffer, i, end)
        digits += stop - i
        groups += 1
        if groups > 1 and stop == i + 1 and buffer[i - 1] == 46:
            break  # the decimal of +6073641856.9
        most = 11 if north_american else 15 if groups == 1 else 13
        if stop == i or digits > most:
            break
        clock = stop + 1 < end and buffer[stop] == 58 and is_digit(buffer[stop + 1])
        least = 11 if north_american else 9
        whole = extension_end(buffer, stop, end)
        if digits >= least and not clock and not continues(buffer, whole, end):
            found = whole
        i = stop
        for _ in range(2):  # one separator, or two such as `) ` and ` (`
            if i < end and (buffer[i] == 32 or buffer[i] == 45 or buffer[i] == 46 or 40 <= buffer[i] <= 41):
                i += 1
        if i == stop:
            break
    return found


@declare("int64(uint8[::1], int64, int64)")
def extension_end(buffer: np.ndarray, at: int, end: int) -> int:
    """Return where the extension at `at` ends, `x` and one to six digits, or `at` if there is none."""
    if at >= end or (buffer[at] != 120 and buffer[at] != 88):
        return at
    stop = digits_end(buffer, at + 1, end)
    return stop if 1 <= stop - at - 1 <= 6 else at


@declare("int64(uint8[::1], int64, int64)")
def match_trunk(buffer: np.ndarray, at: int, end: int) -> int:
    """Return where the number that begins with the 0 at `at` ends, or 0: 3-4-4, 4-3-4 or 5-6 digits."""
    one = digits_end(buffer, at, end)
    size = one - at
    if size < 3 or size > 5 or one >= end or (buffer[one] != 32 and buffer[one] != 45):
        return 0
    if buffer[at + 1] == 48 or (size == 5 and buffer[one] == 45):
        return 0
    two = digits_end(buffer, one + 1, end)
    if size == 5:
        if two - one - 1 != 6 or continues(buffer, two, end):
            return 0
        return two
    if size + two - one - 1 != 7 or two >= end or buffer[two] != buffer[one]:
        return 0
    three = digits_end(buffer, two + 1, end)
    if three - two - 1 != 4 or continues(buffer, three, end):
        return 0
    return three
