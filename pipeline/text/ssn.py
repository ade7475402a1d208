"""Social security numbers of the United States."""

from __future__ import annotations

import numpy as np

from pipeline.text.boundaries import continues, digits_end, follows
from pipeline.text.context import SSN, said_before
from pipeline.text.kernel import declare, int64

__all__ = ["match_ssn"]


@declare("int64(uint8[::1], int64, int64, int64)")
def match_ssn(buffer: np.ndarray, floor: int, at: int, end: int) -> int:
    """Return where the social security number that begins at `at` ends, or 0.

    `AAA-GG-SSSS` with an area from 001 to 899 but not 666, a group from 01 and a serial from 0001 (the Social Security
    Administration's rules since 2011). With spaces or nothing in the place of the hyphens it is a number like any
    other, and stays unless `SSN` or `social` stands before it.

    Args:
        buffer: Bytes of the column.
        floor: Bytes before it are out of sight.
        at: A digit.
        end: One past the row's last byte.
    """
    separator = int64(buffer[at + 3]) if at + 9 <= end else 0
    gap = 1 if separator == 45 or separator == 32 else 0
    group = at + 3 + gap
    serial = group + 2 + gap
    if serial + 4 > end or digits_end(buffer, serial, min(end, serial + 5)) != serial + 4:
        return 0
    if digits_end(buffer, group, group + 2) != group + 2 or digits_end(buffer, at, at + 3) != at + 3:
        return 0
    if gap and int64(buffer[group + 2]) != separator:
        return 0
    area = 100 * (int64(buffer[at]) - 48) + 10 * (int64(buffer[at + 1]) - 48) + int64(buffer[at + 2]) - 48
    no_group = buffer[group] == 48 and buffer[group + 1] == 48
    no_serial = (
        buffer[serial] == 48 and buffer[serial + 1] == 48 and buffer[serial + 2] == 48 and buffer[serial + 3] == 48
    )
    if area == 0 or area == 666 or area >= 900 or no_group or no_serial:
        return 0
    if follows(buffer, floor, at) or continues(buffer, serial + 4, end):
        return 0
    return serial + 4 if separator == 45 or said_before(buffer, floor, at) & SSN else 0
