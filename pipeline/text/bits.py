"""Numbers of 64 bits as sets: bit k says something of byte k.

Written as in Warren, Hacker's Delight, 5-1 and 5-4, both of which compilers know for one instruction each.
"""

from __future__ import annotations

import numpy as np

from pipeline.text.kernel import declare, int64
from pipeline.text.load import EACH

__all__ = ["below", "lowest", "ones"]

_ONE = np.uint64(1)
_TWO = np.uint64(2)
_FOUR = np.uint64(4)
_TOP = np.uint64(56)
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
_PAIRS = np.uint64(0x5555555555555555)
_FOURS = np.uint64(0x3333333333333333)
_EIGHTS = np.uint64(0x0F0F0F0F0F0F0F0F)


@declare("int64(uint64)", inline=True)
def ones(bits: np.uint64) -> int:
    """Return how many bits are set."""
    bits = bits - ((bits >> _ONE) & _PAIRS)
    bits = (bits & _FOURS) + ((bits >> _TWO) & _FOURS)
    bits = (bits + (bits >> _FOUR)) & _EIGHTS
    return int64((bits * EACH) >> _TOP)


@declare("int64(uint64)", inline=True)
def lowest(bits: np.uint64) -> int:
    """Return which is the lowest bit that is set; 64 if none is."""
    return ones(~bits & (bits - _ONE))


@declare("uint64(int64)", inline=True)
def below(place: int) -> np.uint64:
    """Return the bits before a place from 0 to 64."""
    return _ALL >> np.uint64(64 - place) if place > 0 else np.uint64(0)
