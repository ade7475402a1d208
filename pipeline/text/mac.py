"""Hardware addresses of network cards."""

from __future__ import annotations

import numpy as np

from pipeline.text.boundaries import is_letter, is_word
from pipeline.text.context import NUMBER, VERSION, said_before
from pipeline.text.kernel import declare
from pipeline.text.urls import is_hexadecimal

__all__ = ["match_mac"]


@declare("int64(uint8[::1], int64, int64, int64)")
def match_mac(buffer: np.ndarray, floor: int, at: int, end: int) -> int:
    """Return where the MAC address that begins at `at` ends, or 0.

    Six pairs of hexadecimal digits with `:` or with `-` between them (IEEE 802), a letter among them: without one it is
    more often a time or a number. Or three groups of four with `.` between them (Cisco's form), digits in two of them,
    so that words stay, as does what `version` or `commit` stands before. Addresses of groups, the broadcast address
    among them (the first octet is odd), are nobody's, and stay. Longer runs of pairs, such as the fingerprint of a
    certificate, stay too.

    Args:
        buffer: Bytes of the column.
        floor: Bytes before it are out of sight.
        at: The first digit.
        end: One past the row's last byte.
    """
    if at < floor or at + 14 > end:
        return 0
    dotted = buffer[at + 4] == 46
    group = 4 if dotted else 2
    size = 14 if dotted else 17
    if at + size > end:
        return 0
    separator = buffer[at + group]
    letters = 0
    before = 0  # letters before the group
    numbered = 0  # groups with a digit
    for k in range(size):
        byte = buffer[at + k]
        if k % (group + 1) == group:
            if byte != separator:
                return 0
        elif not is_hexadecimal(byte):
            return 0
        else:
            letters += is_letter(byte)
        if dotted and k % 5 == 3:
            numbered += letters < before + 4
            before = letters
    # Of the ASCII codes of 0-9, A-F and a-f, the last bit is the digit's own for 0-9 and its opposite for letters.
    if letters == 0 or (buffer[at + 1] & 1) ^ is_letter(buffer[at + 1]):
        return 0
    if dotted and numbered < 2:
        return 0
    if at > floor and (is_word(buffer[at - 1]) or buffer[at - 1] == separator):
        return 0
    stop = at + size
    if stop < end and is_word(buffer[stop]):
        return 0
    if stop < end and buffer[stop] == separator and not (dotted and (stop + 1 == end or not is_word(buffer[stop + 1]))):
        return 0  # a dot may end a sentence
    return 0 if dotted and said_before(buffer, floor, at) & (VERSION | NUMBER) else stop
