"""Addresses of machines on the public Internet."""

from __future__ import annotations

import numpy as np

from pipeline.text.boundaries import continues, digits_end, follows, is_digit
from pipeline.text.kernel import declare, int64
from pipeline.text.urls import is_hexadecimal

__all__ = ["match_ip", "match_ipv6"]


@declare("int64(uint8[::1], int64, int64, int64)")
def match_ip(buffer: np.ndarray, floor: int, at: int, end: int) -> int:
    """Return where the public IPv4 address that begins at `at` ends, or 0.

    Addresses that name no machine of anybody's stay, as they carry nothing personal and code is full of them: for IPv4
    this network, private, shared, loopback, link-local, benchmarking, multicast and reserved (IANA's special-purpose
    registry); for IPv6 all but global unicast, 2000::/3. The documentation ranges (192.0.2.0/24, 2001:db8::/32, …) go
    with the public ones: that is what anonymised logs and made-up records hold. A version number stays where it says
    that it is one (`version 1.2.3.4`, `==1.2.3.4`, `v1.2.3.4`), and so does the number of a section.

    Args:
        buffer: Bytes of the column.
        floor: Bytes before it are out of sight.
        at: A digit.
        end: One past the row's last byte.
    """
    if follows(buffer, floor, at):
        return 0
    stop = match_ipv4(buffer, at, end)
    return 0 if stop == 0 or continues(buffer, stop, end) or is_version(buffer, floor, at) else stop


@declare("int64(uint8[::1], int64, int64)")
def match_ipv4(buffer: np.ndarray, at: int, end: int) -> int:
    """Return where the public IPv4 address at `at` ends, or 0; octets have no leading zeros."""
    a = 0
    b = 0
    i = at
    for octet in range(4):
        stop = digits_end(buffer, i, min(end, i + 4))
        if stop == i or stop - i > 3 or (stop - i > 1 and buffer[i] == 48):
            return 0
        value = 0
        for k in range(i, stop):
            value = 10 * value + int64(buffer[k]) - 48
        if value > 255:
            return 0
        if octet == 0:
            a = value
        elif octet == 1:
            b = value
        i = stop
        if octet < 3:
            if i >= end or buffer[i] != 46:
                return 0
            i += 1
    special = (
        a == 0
        or a == 10
        or a == 127
        or a >= 224
        or (a == 100 and 64 <= b <= 127)
        or (a == 169 and b == 254)
        or (a == 172 and 16 <= b <= 31)
        or (a == 192 and b == 168)
        or (a == 198 and 18 <= b <= 19)
    )
    return 0 if special else i


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
            tail = match_octets(buffer, i, end)
            if tail:
                groups += 2
                i = tail
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
def match_octets(buffer: np.ndarray, at: int, end: int) -> int:
    """Return where four numbers of one to three digits with dots between them end, or 0."""
    i = at
    for octet in range(4):
        stop = digits_end(buffer, i, min(end, i + 4))
        if stop == i or stop - i > 3:
            return 0
        i = stop
        if octet < 3:
            if i >= end or buffer[i] != 46:
                return 0
            i += 1
    return i


@declare("int64(uint8[::1], int64, int64)")
def is_version(buffer: np.ndarray, floor: int, at: int) -> int:
    """Return 1 if `version`, `release`, `section`, or a comparison such as `==` and `>=` stands before `at`."""
    i = at
    while i > floor and at - i < 2 and (buffer[i - 1] == 32 or buffer[i - 1] == 61):
        i -= 1
        if buffer[i] == 61 and i > floor:
            c = buffer[i - 1]
            if c == 61 or c == 62 or c == 60 or c == 126 or c == 33:  # = > < ~ !
                return 1
    if i - floor < 7 or i == at:
        return 0
    word = 0  # the last seven letters in lower case, seven bits each
    for k in range(i - 7, i):
        word = (word << 7) | ((int64(buffer[k]) | 0x20) & 0x7F)
    return 1 if word in (VERSION, RELEASE, SECTION) else 0


def _packed(word: bytes) -> int:
    value = 0
    for byte in word:
        value = value << 7 | byte
    return value


VERSION = _packed(b"version")
RELEASE = _packed(b"release")
SECTION = _packed(b"section")
