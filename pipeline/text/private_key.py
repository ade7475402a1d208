"""Private keys in their PEM armour."""

from __future__ import annotations

import numpy as np

from pipeline.text.boundaries import is_digit, is_letter
from pipeline.text.kernel import declare, int64

__all__ = ["match_private_key", "names_armour"]

SHORTEST = 40
"""Characters of base64 of the shortest key; less is the name of the armour without a key."""

BLOCK = 64
"""Bytes that are looked at together."""


@declare("int64(uint8[::1], int64, int64)")
def match_private_key(buffer: np.ndarray, at: int, end: int) -> int:
    r"""Return where the armoured private key that begins at `at` ends, or 0.

    From `-----BEGIN … PRIVATE KEY…-----` to the end of `-----END …-----` (RFC 7468; OpenSSH's and PGP's too), line ends
    written as `\n` as well. A key that was cut off ends with its last character of base64.

    Args:
        buffer: Bytes of the column.
        at: The first of five hyphens.
        end: One past the row's last byte.
    """
    if at + 27 > end or buffer[at + 5] != 66 or buffer[at + 6] != 69 or buffer[at + 7] != 71:  # BEG
        return 0
    head = hyphens(buffer, at + 5, min(end, at + 64))
    if head < 0 or not names_private_key(buffer, at + 5, head):
        return 0
    body = head + 5
    stop = hyphens(buffer, body, end)
    limit = end if stop < 0 else stop
    characters = 0
    last = body
    i = body
    while i < limit:
        c = buffer[i]
        if is_letter(c) or is_digit(c) or c == 43 or c == 47 or c == 61:
            characters += 1
            last = i + 1
        elif stop < 0 and c > 32 and c != 92:  # not base64, a space or a backslash
            break
        i += 1
    if characters < SHORTEST:
        return 0
    if stop >= 0 and stop + 8 < end and buffer[stop + 5] == 69 and buffer[stop + 6] == 78 and buffer[stop + 7] == 68:
        tail = hyphens(buffer, stop + 5, min(end, stop + 64))
        if tail >= 0:
            return tail + 5
    return last


@declare("int64(uint8[::1], int64, int64)")
def hyphens(buffer: np.ndarray, at: int, end: int) -> int:
    """Return where the next five hyphens begin, or -1."""
    run = 0
    for i in range(at, end):
        run = run + 1 if buffer[i] == 45 else 0
        if run == 5:
            return i - 4
    return -1


@declare("int64(uint8[::1], int64, int64)")
def names_private_key(buffer: np.ndarray, start: int, end: int) -> int:
    """Return 1 if `PRIVATE KEY` stands in `[start, end)`."""
    for i in range(start, end - 10):
        same = 0
        while same < len(PRIVATE_KEY) and int64(buffer[i + same]) == PRIVATE_KEY[same]:
            same += 1
        if same == len(PRIVATE_KEY):
            return 1
    return 0


@declare("int64(uint8[::1], int64, int64)")
def names_armour(buffer: np.ndarray, start: int, end: int) -> int:
    """Return 1 if the row may hold `PRIVATE KEY`, without which no private key is in it: it holds `E KEY`."""
    i = start + 4
    while i < end:
        until = min(i + BLOCK, end)
        found = False
        for k in range(i, until):  # without a branch, so that a compiler makes vector instructions of it
            at = np.uint64(k)
            spelt = (buffer[at] == 89) & (buffer[at - np.uint64(1)] == 69) & (buffer[at - np.uint64(2)] == 75)
            found |= spelt & (buffer[at - np.uint64(3)] == 32) & (buffer[at - np.uint64(4)] == 69)
        if found:
            return 1
        i = until
    return 0


PRIVATE_KEY = np.frombuffer(b"PRIVATE KEY", np.uint8)
