"""Social security numbers of the United States."""

from __future__ import annotations

import numpy as np

from pipeline.text.boundaries import continues, digits_end, follows
from pipeline.text.kernel import declare, int64

__all__ = ["match_ssn"]


@declare("int64(uint8[::1], int64, int64, int64)")
def match_ssn(buffer: np.ndarray, floor: int, at: int, end: int) -> int:
    """Return where the social security number that begins at `at` ends, or 0.

    `AAA-GG-SSSS` with an area from 001 to 899 but not 666, a group from 01 and a serial from 0001 (the Social Security
    Administration's rules since 2011). Written without hyphens it is a number like any other, and stays.

    Args:
        buffer: Bytes of the column.
        floor: Bytes before it are out of sight.
        at: A digit.
        end: One past the row's last byte.
    """
    if at + 11 > end or buffer[at + 3] != 45 or buffer[at + 6] != 45:
        return 0
    if digits_end(buffer, at, end) != at + 3 or digits_end(buffer, at + 4, end) != at + 6:
        return 0
    if digits_end(buffer, at + 7, end) != at + 11:
        return 0
    area = 100 * (int64(buffer[at]) - 48) + 10 * (int64(buffer[at + 1]) - 48) + int64(buffer[at + 2]) - 48
    no_group = buffer[at + 4] == 48 and buffer[at + 5] == 48
    no_serial = buffer[at + 7] == 48 and buffer[at + 8] == 48 and buffer[at + 9] == 48 and buffer[at + 10] == 48
    if area == 0 or area == 666 or area >= 900 or no_group or no_serial:
        return 0
    if follows(buffer, floor, at) or continues(buffer, at + 11, end):
        return 0
    return at + 11
