"""Eight bytes at a time: one number that holds them, and what can be asked of all of them at once.

Such a number is little-endian: the first byte is in its lowest bits. What is asked of bytes is answered in the highest
bit of each (`HIGH`), by sums that carry into it and no further because the bytes are below 128 (Mycroft 1987; Warren,
Hacker's Delight, 6-1).
"""

from __future__ import annotations

import numpy as np

from pipeline.text.kernel import declare, int64

__all__ = ["EACH", "HIGH", "blanks_at", "differ", "first_byte", "is_plain", "load"]

EACH = np.uint64(0x0101010101010101)
"""1 in every byte; times a byte, that byte everywhere."""
HIGH = np.uint64(0x8080808080808080)

_ONE = np.uint64(1)
_TOP = np.uint64(56)

_LOW = np.uint64(0x7F7F7F7F7F7F7F7F)
_NONE = np.uint64(0)
_SEVEN = np.uint64(7)
_SPACES = EACH * np.uint64(32)


@declare("uint64(uint64, uint64)", inline=True)
def differ(word: np.uint64, byte: np.uint64) -> np.uint64:
    """Return `HIGH` of every byte that is not this one; of ASCII both, and what the other bits hold says nothing."""
    return (word ^ byte * EACH) + _LOW


@declare("int64(uint64)")
def first_byte(found: np.uint64) -> int:
    """Return the number, from 0, of the lowest byte of which the high bit is set: at least one is, and no lower bit."""
    lowest = found & (~found + _ONE)
    return int64((((lowest - _ONE) & EACH) * EACH) >> _TOP) - 1


@declare("int64(uint64)", inline=True)
def is_plain(word: np.uint64) -> int:
    """Return 1 if all eight bytes are of ASCII."""
    return int64(word & HIGH == np.uint64(0))


@declare("uint64(uint8[::1], int64, int64)", inline=True)
def load(buffer: np.ndarray, at: int, end: int) -> np.uint64:
    """Return the eight bytes at `at`, little-endian; bytes from `end` on are 0."""
    if at + 8 <= end:
        # An unsigned index is used as it is (a signed one may count from the end), so this is one read of memory.
        k = np.uint64(at)
        return (
            np.uint64(buffer[k])
            | np.uint64(buffer[k + _ONE]) << np.uint64(8)
            | np.uint64(buffer[k + np.uint64(2)]) << np.uint64(16)
            | np.uint64(buffer[k + np.uint64(3)]) << np.uint64(24)
            | np.uint64(buffer[k + np.uint64(4)]) << np.uint64(32)
            | np.uint64(buffer[k + np.uint64(5)]) << np.uint64(40)
            | np.uint64(buffer[k + np.uint64(6)]) << np.uint64(48)
            | np.uint64(buffer[k + np.uint64(7)]) << _TOP
        )
    value = np.uint64(0)
    for more in range(end - at):
        value |= np.uint64(buffer[at + more]) << np.uint64(8 * more)
    return value


@declare("int64(uint8[::1], int64, int64)", inline=True)
def blanks_at(buffer: np.ndarray, at: int, end: int) -> int:
    """Return how many spaces stand at `at`, one behind the other."""
    i = at
    while True:
        others = load(buffer, i, end) ^ _SPACES
        others = (others & _LOW) + _LOW | others  # `HIGH` of every byte that is no space
        others &= HIGH
        before = ((others & (~others + _ONE)) >> _SEVEN) - _ONE
        i += int64((before & EACH) * EACH >> _TOP)
        if others != _NONE:
            return i - at
