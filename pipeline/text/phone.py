"""Telephone numbers: what has the form of one; `pipeline.engines.phones` asks the numbering plans."""

from __future__ import annotations

import numpy as np

from pipeline.text.boundaries import continues, digits_end, follows
from pipeline.text.kernel import declare, int64

__all__ = ["match_phone"]

MOST_GROUPS = 8


@declare("int64(uint8[::1], int64, int64, int64)")
def match_phone(buffer: np.ndarray, floor: int, at: int, end: int) -> int:
    """Return where the telephone number that begins at `at` may end, minus that if a word must announce it, or 0.

    Groups of digits with one of ` -./` between them, brackets around one, an extension (`x123`) at the end. The longest
    of these forms:

    - international: `+` and 9 to 15 digits (ITU E.164), in groups at most 13, after `+1` 11, also as `(+44) 20 …` or
      `(+44) (0)20 …`;
    - North American: `(415) 555-0123`, `415-555-0123`, `415.555.0123`, `415 555 0123`, with or without `1` or `001`
      before, area and exchange from 200;
    - with a trunk 0 or an international 00: 9 to 14 digits in two to five groups of two or more, one kind of separator:
      `020 7946 0123`, `(03) 5327 5996`, `0049 30 23125123`.

    Without one of them, all groups together may still be a number that `call`, `fax` or `office` stands beside: 6 to
    15 digits that are no date. Numbers that are part of a longer one, versions and bare runs of digits stay.

    Args:
        buffer: Bytes of the column.
        floor: Bytes before it are out of sight.
        at: The first digit of a run, `+` or `(`.
        end: One past the row's last byte.
    """
    if follows(buffer, floor, at):
        return 0
    opened = buffer[at] == 40 and at + 1 < end and buffer[at + 1] == 43  # (+; a bracket has not been closed
    begin = at + 1 if opened else at
    bracket = False  # around another group than the country's code
    plus = buffer[begin] == 43
    digits = 0
    groups = 0
    sizes = 0  # of the groups, four bits each, the last one lowest
    leads = 0  # their first digits
    small = False  # a group of one digit
    mixed = False  # separators of two kinds
    separator = 0
    found = 0
    whole = 0
    i = begin + 1 if plus else at
    while i < end and groups < MOST_GROUPS:
        if buffer[i] == 40:
            if bracket or opened or groups > 2:
                break
            bracket = True
            opened = True
            i += 1
        stop = digits_end(buffer, i, min(end, i + 16))
        size = stop - i
        if size == 0 or digits + size > 15 or (size == 1 and separator == 46):  # the decimal of +6073641856.9
            break
        digits += size
        groups += 1
        small = small or size == 1
        sizes = 16 * sizes + size
        leads = 16 * leads + int64(buffer[i]) - 48
        whole = extension_end(buffer, stop, end)
        clock = stop < end and buffer[stop] == 58 and digits_end(buffer, stop + 1, min(end, stop + 2)) > stop + 1
        if opened or clock or continues(buffer, whole, end):
            whole = 0
        elif groups == 2 and separator == 46 and not bracket:
            pass  # 01234.567890
        elif has_form(
            plus, bracket, digits, groups, sizes, leads, small, mixed, int64(buffer[min(begin + 1, end - 1)])
        ):
            found = whole
        i = stop
        if opened:
            if i >= end or buffer[i] != 41:
                break
            opened = False
            i += 1
        if i >= end:
            break
        next_separator = int64(buffer[i])
        between = next_separator == 32 or 45 <= next_separator <= 47  # space - . /
        following = i + 1 if between else i
        if following >= end or not (48 <= buffer[following] <= 57 or buffer[following] == 40):
            break
        if i == stop:
            if not between and next_separator != 40:
                break
            mixed = mixed or (separator != 0 and next_separator != separator)
            separator = next_separator
        i = following
    if found or whole == 0 or separator == 47 or (sizes == 0x422 and leads >> 8 <= 2):
        return found
    if (
        digits < 6
        or (groups == 1 and digits < 7)
        or (separator != 32 and not bracket and groups < 4 and sizes & 0xFF0 == 0x220)
    ):
        return 0  # a number that is too short, or a date
    return 0 if groups == 2 and separator == 46 else -whole


@declare("int64(int64, int64, int64, int64, int64, int64, int64, int64, int64)")
def has_form(
    plus: int, bracket: int, digits: int, groups: int, sizes: int, leads: int, small: int, mixed: int, second: int
) -> int:
    """Return 1 if the groups so far have a form that nothing else has; the arguments are `match_phone`'s.

    Args:
        plus: Whether a `+` comes first.
        bracket: Whether one group stands in brackets.
        digits: How many there are.
        groups: How many there are.
        sizes: Of the groups, four bits each, the last one lowest.
        leads: Their first digits, likewise.
        small: Whether a group has one digit.
        mixed: Whether there are two kinds of separators.
        second: The second byte.
    """
    first = leads >> 4 * (groups - 1)
    if plus:
        if first == 0 or sizes == 0x422:
            return 0  # +2024-05-17 in a patch
        if first == 1:
            return 1 if digits == 11 and second == 49 else 0
        return 1 if 9 <= digits <= (15 if groups == 1 else 13) else 0
    if sizes & 0xFFF == 0x334:
        prefix = sizes >> 12
        if leads & 0xF00 < 0x200 or leads & 0xF0 < 0x20 or (mixed and not bracket and groups == 3):
            return 0
        return 1 if prefix == 0 or (prefix == 1 and first == 1) or (prefix == 3 and first == 0) else 0
    if first or small or (mixed and not bracket) or groups < 2 or groups > 5 or sizes == 0x333:
        return 0
    return 1 if 9 <= digits <= (14 if second == 48 else 11) else 0


@declare("int64(uint8[::1], int64, int64)")
def extension_end(buffer: np.ndarray, at: int, end: int) -> int:
    """Return where the extension at `at` ends, `x` and one to six digits, or `at` if there is none."""
    if at >= end or buffer[at] | 0x20 != 120:
        return at
    stop = digits_end(buffer, at + 1, min(end, at + 8))
    return stop if 1 <= stop - at - 1 <= 6 else at
