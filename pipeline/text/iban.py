"""International bank account numbers."""

from __future__ import annotations

import numpy as np

from pipeline.text.boundaries import continues, follows, is_digit, is_letter
from pipeline.text.kernel import declare, int64

__all__ = ["match_iban"]

_LENGTHS = (
    "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 "
    "ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 "
    "LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 "
    "PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 "
    "YE30"
)
"""Countries and the lengths of their numbers: the SWIFT IBAN registry, release 99 (2024)."""

LENGTHS = np.zeros(26 * 26, np.int8)
for _entry in _LENGTHS.split():
    LENGTHS[26 * (ord(_entry[0]) - 65) + ord(_entry[1]) - 65] = int(_entry[2:])


@declare("int64(uint8[::1], int64, int64, int64)")
def match_iban(buffer: np.ndarray, floor: int, at: int, end: int) -> int:
    """Return where the IBAN that begins at `at` ends, or 0.

    Two letters, two digits, then letters and digits up to the country's length, in one run or in groups of four parted
    by one space or hyphen, with a remainder of 1 modulo 97 (ISO 13616, ISO 7064).

    Args:
        buffer: Bytes of the column.
        floor: Bytes before it are out of sight.
        at: A letter.
        end: One past the row's last byte.
    """
    if at + 4 >= end or not is_letter(buffer[at + 1]) or not is_digit(buffer[at + 2]) or not is_digit(buffer[at + 3]):
        return 0
    if follows(buffer, floor, at):
        return 0
    length = int64(LENGTHS[26 * ((int64(buffer[at]) & 0x5F) - 65) + (int64(buffer[at + 1]) & 0x5F) - 65])
    separator = int64(buffer[at + 4])
    grouped = separator == 32 or separator == 45
    remainder = 0
    i = at + 4
    for place in range(4, length):
        if grouped and place % 4 == 0:
            if i >= end or int64(buffer[i]) != separator:
                return 0
            i += 1
        if i >= end or not (is_digit(buffer[i]) or is_letter(buffer[i])):
            return 0
        remainder = append(remainder, int64(buffer[i]))
        i += 1
    for k in range(at, at + 4):  # the country and the check digits count last
        remainder = append(remainder, int64(buffer[k]))
    return i if length > 0 and remainder == 1 and not continues(buffer, i, end) else 0


@declare("int64(int64, int64)")
def append(remainder: int, character: int) -> int:
    """Return the remainder modulo 97 after one more digit, or letter of either case with A = 10."""
    if character <= 57:
        return (10 * remainder + character - 48) % 97
    return (100 * remainder + (character & 0x5F) - 55) % 97
