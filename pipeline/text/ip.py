"""Addresses of machines on the public Internet."""

from __future__ import annotations

import numpy as np

from pipeline.text.boundaries import continues, follows, is_digit, is_letter, is_word
from pipeline.text.context import VERSION, said_before
from pipeline.text.kernel import declare, int64
from pipeline.text.urls import is_hexadecimal

__all__ = ["match_ip", "match_ipv6"]


@declare("int64(uint8[::1], int64, int64, int64)")
def match_ip(buffer: np.ndarray, floor: int, at: int, end: int) -> int:
    """Return where the public IPv4 address that begins at `at` ends, or 0.

    Addresses that name no machine of anybody's stay, as they carry nothing personal and code is full of them: for IPv4
    this network, private, shared, loopback, link-local, benchmarking, multicast and reserved (IANA's special-purpose
    registry). The documentation ranges (192.0.2.0/24, 2001:db8::/32, …) go with the public ones: that is what
    anonymised logs and made-up records hold. A version number stays where it says that it is one (`version 1.2.3.4`,
    `==1.2.3.4`, `v1.2.3.4`, `FileVersion=1.2.3.4`, `lib=1.2.3.4=py39_0`), and so does the number of a section. Both
    ends of a range (`8.8.4.4-8.8.8.8`) are found.

    Args:
        buffer: Bytes of the column.
        floor: Bytes before it are out of sight.
        at: A digit.
        end: One past the row's last byte.
    """
    stop = octets_end(buffer, at, end)
    if stop <= 0:
        return 0
    if follows(buffer, floor, at) and not ends_range(buffer, floor, at):
        return 0
    if continues(buffer, stop, end) and not (buffer[stop] == 45 and octets_end(buffer, stop + 1, end)):
        return 0
    i = at
    while i > floor and at - i < 2 and buffer[i - 1] == 32:
        i -= 1
    if i - 2 >= floor and buffer[i - 1] == 61:
        before = buffer[i - 2]
        if 60 <= before <= 62 or before == 33 or before == 126:
            return 0  # == <= >= != ~=, but not host=8.8.8.8
        if stop + 1 < end and buffer[stop] == 61 and is_word(buffer[stop + 1]):
            return 0  # a package, its version and its build
        if names_version(buffer, floor, i - 2 if before == 32 else i - 1):
            return 0
    return 0 if said_before(buffer, floor, at) & VERSION else stop


@declare("int64(uint8[::1], int64, int64)")
def names_version(buffer: np.ndarray, floor: int, at: int) -> int:
    """Return 1 if a name of a version ends before `at`: `…version`, or the word `ver`, `rev` or `v`, in any case.

    A word is of letters, and in `fileVer` begins with the capital; `server` and `prev` end with none of them.
    """
    word = at
    while word > floor and at - word < 8 and is_letter(buffer[word - 1]):
        word -= 1
    if at - word >= len(VERSION_NAME):
        same = 0
        while same < len(VERSION_NAME) and buffer[at - len(VERSION_NAME) + same] | 0x20 == VERSION_NAME[same]:
            same += 1
        if same == len(VERSION_NAME):
            return 1
    if at - word > 3 and buffer[at - 3] < 97 <= buffer[at - 4]:
        word = at - 3
    if at - word == 1:
        return 1 if buffer[word] | 0x20 == 118 else 0  # v
    if at - word != 3 or buffer[word + 1] | 0x20 != 101:
        return 0
    first = buffer[word] | 0x20
    last = buffer[word + 2] | 0x20
    return 1 if (first == 118 and last == 114) or (first == 114 and last == 118) else 0


VERSION_NAME = np.frombuffer(b"version", np.uint8)


@declare("int64(uint8[::1], int64, int64)")
def ends_range(buffer: np.ndarray, floor: int, at: int) -> int:
    """Return 1 if a whole address and a hyphen stand before `at`; arguments as of `follows`."""
    hyphen = at - 1
    if hyphen <= floor or buffer[hyphen] != 45:
        return 0
    i = hyphen
    while i > floor and hyphen - i < 16 and (is_digit(buffer[i - 1]) or buffer[i - 1] == 46):
        i -= 1
    return 1 if i < hyphen and abs(octets_end(buffer, i, hyphen)) == hyphen and not follows(buffer, floor, i) else 0


@declare("int64(uint8[::1], int64, int64, int64)")
def match_ipv6(buffer: np.ndarray, floor: int, at: int, end: int) -> int:
    """Return where the public IPv6 address that begins at `at` ends, or 0.

    Eight groups of one to four hexadecimal digits, or fewer with one `::`; the last two may be written as an IPv4
    address. It is public unless it is loopback, mapped, link-local, unique-local or multicast. Outside 2000::/3, where
    none is assigned, only eight groups with a letter and one group of three digits or more are taken for an address.

    Args:
        buffer: Bytes of the column.
        floor: Bytes before it are out of sight.
        at: A hexadecimal digit.
        end: One past the row's last byte.
    """
    after_colon = at - 1 >= floor and buffer[at - 1] == 58
    if after_colon and (at - 2 < floor or buffer[at - 2] == 58 or is_hexadecimal(buffer[at - 2])):
        return 0  # the end of a longer one; `host:2001:db8::1` has a label before the colon
    if follows(buffer, floor, at):
        return 0
    groups = 0
    gap = False
    plain = True  # only decimal digits so far
    head = 0  # the first group
    longest = 0
    i = at
    while i < end and groups < 8:
        stop = i
        while stop < end and stop - i < 5 and is_hexadecimal(buffer[stop]):
            plain = plain and is_digit(buffer[stop]) != 0
            if groups == 0:
                byte = int64(buffer[stop])
                head = 16 * head + (byte - 48 if byte <= 57 else (byte | 0x20) - 87)
            stop += 1
        if stop - i > 4:
            return 0
        if stop == i:
            break
        longest = max(longest, stop - i)
        if stop < end and buffer[stop] == 46 and 6 >= groups >= 2:  # the last 32 bits as an IPv4 address
            tail = octets_end(buffer, i, end)
            if tail:
                groups += 2
                i = abs(tail)
                break
        groups += 1
        i = stop
        if groups == 8 or i + 1 >= end or buffer[i] != 58:
            break
        if buffer[i + 1] == 58:
            if gap:
                return 0
            gap = True
            i += 2
        elif is_hexadecimal(buffer[i + 1]):
            i += 1
        else:
            break
    if groups > 7 if gap else groups != 8:
        return 0
    if head < 0x2000 or head > 0x3FFF:
        special = head == 0 or 0xFC00 <= head <= 0xFDFF or 0xFE80 <= head <= 0xFEBF or head >= 0xFF00
        if gap or plain or special or longest < 3:
            return 0
    if groups < 3 and plain:  # x[2000::2] in code
        return 0
    if continues(buffer, i, end) or (i + 1 < end and buffer[i] == 58 and is_hexadecimal(buffer[i + 1])):
        return 0
    return i


@declare("int64(uint8[::1], int64, int64)")
def octets_end(buffer: np.ndarray, at: int, end: int) -> int:
    """Return where the IPv4 address at `at` ends, minus that if it is special, or 0; octets have no leading zeros."""
    address = 0
    i = at
    for octet in range(4):
        value = 0
        stop = i
        while stop < end and stop - i < 4 and is_digit(buffer[stop]):
            value = 10 * value + int64(buffer[stop]) - 48
            stop += 1
        if stop == i or value > 255 or (stop - i > 1 and buffer[i] == 48):
            return 0
        address = address << 8 | value
        i = stop
        if octet < 3:
            if i >= end or buffer[i] != 46:
                return 0
            i += 1
    for k in range(len(SPECIAL)):
        if address >> SPECIAL[k, 1] == SPECIAL[k, 0]:
            return -i
    return i


SPECIAL = np.array(
    [
        (0, 24),  # 0.0.0.0/8
        (10, 24),
        (127, 24),
        (0b111, 29),  # 224.0.0.0/3: multicast, reserved, broadcast
        (100 << 2 | 1, 22),  # 100.64.0.0/10
        (169 << 8 | 254, 16),
        (172 << 4 | 1, 20),  # 172.16.0.0/12
        (192 << 8 | 168, 16),
        (198 << 7 | 9, 17),  # 198.18.0.0/15
    ],
    np.int64,
)
"""Networks that name no machine of anybody's: an address shifted right by the second number is the first."""
