"""Where personal data stands in a row."""

from __future__ import annotations

import numpy as np

from pipeline.text.boundaries import is_digit, is_letter
from pipeline.text.credit_card import match_credit_card
from pipeline.text.email import LONGEST, letter_width, match_email
from pipeline.text.iban import match_iban
from pipeline.text.ip import match_ip
from pipeline.text.kernel import declare
from pipeline.text.phone import match_phone
from pipeline.text.ssn import match_ssn

__all__ = ["find_entities"]


@declare("int64(uint8[::1], int64, int64, int64, int64[::1], int64[::1], int8[::1], int64)")
def find_entities(
    buffer: np.ndarray,
    start: int,
    end: int,
    wanted: int,
    starts: np.ndarray,
    ends: np.ndarray,
    entities: np.ndarray,
    at: int,
) -> int:
    """List the row's personal data from left to right, and return how many spans there are.

    Where several entities begin at one place, the longest wins; of equally long ones the first in `ENTITIES`. A match
    sees nothing of what was found before it.

    Args:
        buffer: Bytes of the column; the row is `[start, end)`.
        start: Its first byte.
        end: One past its last byte.
        wanted: Bit k is set if the kth of `ENTITIES` is looked for.
        starts: Where to write the place of each span's first byte.
        ends: Where to write the place after each span's last byte.
        entities: Where to write which of `ENTITIES` it is.
        at: Where in the three; below 0, nothing is written and the spans are only counted.
    """
    found = 0
    floor = start  # what lies before has been found
    no_email = start  # no address begins before
    sign = start - 1  # the next @
    i = start
    while i < end:
        byte = buffer[i]
        digit = is_digit(byte) != 0
        stop = 0
        entity = 0
        if wanted & 1 and sign < i:
            sign = i
            while sign < end and buffer[sign] != 64:
                sign += 1
        near = sign < end and sign - i <= LONGEST
        if wanted & 1 and i >= no_email and near and (byte == 95 or letter_width(buffer, i, end)):
            stop = match_email(buffer, i, end)
            if stop < 0:
                no_email = -stop
                stop = 0
        if wanted & 2 and (digit or byte == 43 or byte == 40):
            other = match_phone(buffer, floor, i, end)
            if other > stop:
                stop = other
                entity = 1
        if digit:
            if wanted & 4:
                other = match_ip(buffer, floor, i, end)
                if other > stop:
                    stop = other
                    entity = 2
            if wanted & 8:
                other = match_credit_card(buffer, floor, i, end)
                if other > stop:
                    stop = other
                    entity = 3
            if wanted & 16:
                other = match_ssn(buffer, floor, i, end)
                if other > stop:
                    stop = other
                    entity = 4
        if wanted & 32 and is_letter(byte):
            other = match_iban(buffer, floor, i, end)
            if other > stop:
                stop = other
                entity = 5
        if stop == 0:
            i += 1
            continue
        if at >= 0:
            starts[at + found] = i
            ends[at + found] = stop
            entities[at + found] = entity
        found += 1
        i = stop
        floor = stop
        no_email = stop
    return found
