"""Whether personal data may begin among many bytes: asked of 64 at once, before each of them is looked at.

The loops have no branch, so that a compiler makes vector instructions of them. What they ask is less than what an
entity must have: a number's first group that another follows, the letters before the `_` of a key's prefix, a name such
as `password` before a `=`. So a block without a sign holds the beginning of nothing (`pipeline.text.find`).
"""

from __future__ import annotations

import numpy as np

from pipeline.text.api_key import BEFORE_MARK, is_long, may_end_prefix
from pipeline.text.kernel import declare, int64

__all__ = ["AHEAD", "BEHIND", "BLOCK", "STEP", "has_sign"]

BLOCK = 64
"""Bytes that are asked at once."""
STEP = BLOCK - 8
"""Bytes of a block in which nothing begins if it has no sign: the first group of a telephone number has at most 6
digits if it has no sign itself, and `(+` may stand before it; the sign is its last digit."""
BEHIND = 8
"""Bytes before a block that must be in sight."""
AHEAD = 16
"""Bytes behind a block that must be in sight."""

KEY, SECRET, GROUP = 2, 4, 8
"""What a block may have, which is to be asked of it."""

_ONE, _TWO, _THREE, _FIVE, _SIX = (np.uint64(k) for k in (1, 2, 3, 5, 6))
_SEVEN, _EIGHT, _NINE, _TWELVE, _FOURTEEN, _SIXTEEN = (np.uint64(k) for k in (7, 8, 9, 12, 14, 16))


@declare("int64(uint8[::1], int64)")
def has_sign(buffer: np.ndarray, at: int) -> int:
    """Return 1 if personal data may begin in the first `STEP` bytes from `at` on, else 0."""
    signs = signs_of(buffer, at)
    if signs & 1 or (signs & KEY and has_key(buffer, at)) or (signs & SECRET and has_secret(buffer, at)):
        return 1
    return 1 if signs & GROUP and has_group(buffer, at) else 0


@declare("int64(uint8[::1], int64)", inline=True)
def signs_of(buffer: np.ndarray, at: int) -> int:
    """Return 1 if the `BLOCK` from `at` on has a sign; `KEY`, … say what is to be asked further.

    The bytes `a`, `n`, `m`, `o` follow each other.
    """
    sign = key = secret = group = False
    for k in range(at, at + BLOCK):
        i = np.uint64(k)
        p = buffer[i - _ONE]
        a = buffer[i]
        n = buffer[i + _ONE]
        m = buffer[i + _TWO]
        o = buffer[i + _THREE]
        f = buffer[i + _SIX]
        g = buffer[i + _NINE]
        digit = (a >= 48) & (a <= 57)
        digit1 = (n >= 48) & (n <= 57)
        digit2 = (m >= 48) & (m <= 57)
        digit3 = (o >= 48) & (o <= 57)
        between1 = (n == 32) | ((n >= 45) & (n <= 47))  # space - . /
        between2 = (m == 32) | ((m >= 45) & (m <= 47))
        long = (n >= 45) & (m >= 45) & (o >= 45) & (f >= 45) & (g >= 45)  # of a word with - . /
        # Seven digits, or a digit before another group of digits, ( and ) about one of them.
        sign |= digit & digit1 & digit3 & (f >= 48) & (f <= 57)
        sign |= digit & between1 & (digit2 | ((m == 40) & digit3))
        sign |= digit & (((n == 40) & digit2) | ((n == 41) & (digit2 | (m == 40) | (between2 & (digit3 | (o == 40))))))
        sign |= digit & long  # a wallet
        sign |= (a == 64) & (p > 36) & (n >= 48)  # x@x
        sign |= ((a == 65) | (a == 83)) & ((n == 75) | (n == 66) | (n == 67) | (n == 83) | (n == 73)) & long  # AK AB …
        hexadecimal1 = ((n >= 48) & (n <= 58)) | (((n | 32) >= 97) & ((n | 32) <= 102))  # or :
        sign |= (a == 58) & (((n == 47) & (m == 47)) | ((p >= 48) & hexadecimal1))  # :// x:0
        sign |= (a == 45) & (n == 45) & (buffer[i + _FIVE] == 66) & (f == 69)  # -----BE
        mark = (a == 95) | (a == 45) | (a == 46) | (a == 74)  # _ - . J
        longer = (buffer[i + _FIVE] >= 45) & (buffer[i + _SEVEN] >= 45) & (buffer[i + _EIGHT] >= 45)
        longest = (buffer[i + _TWELVE] >= 45) & (buffer[i + _FOURTEEN] >= 45) & (buffer[i + _SIXTEEN] >= 45)
        key |= mark & (p >= 48) & long & longer & longest
        group |= (digit & digit1 & (p >= 65)) | ((a == 45) & (o == 45) & (p >= 48))  # x00 x-xx-
        group |= (a == 46) & (buffer[i + _FIVE] == 46) & (n >= 48) & (m >= 48) & (o >= 48)  # .xxxx.
        seventh = buffer[i + _SEVEN] > 32
        eighth = buffer[i + _EIGHT] > 32
        # Two of these three bytes are of the value, whatever stands before it.
        value = ((f > 32) & (seventh | eighth)) | (seventh & eighth)
        secret |= ((a == 58) | (a == 61)) & (n >= 32) & (m >= 32) & (o >= 32) & value
    more = (KEY if key else 0) | (SECRET if secret else 0) | (GROUP if group else 0)
    return (1 if sign else 0) | more


@declare("int64(uint8[::1], int64)", inline=True)
def has_key(buffer: np.ndarray, at: int) -> int:
    """Return 1 if the `BLOCK` from `at` on has what may end a vendor's prefix and be followed by a key.

    First of all places without a branch; hardly a block goes on from there.
    """
    known = int64(0)
    for k in range(at, at + BLOCK):
        i = np.uint64(k)
        a = buffer[i]
        mark = (a == 95) | (a == 45) | (a == 46) | (a == 74)  # _ - . J
        long = mark & (buffer[i + _TWO] >= 45) & (buffer[i + _FIVE] >= 45) & (buffer[i + _SIXTEEN] >= 45)
        known |= (BEFORE_MARK[buffer[i - _TWO] & 31] >> (buffer[i - _ONE] & 31)) & long
    if known == 0:
        return 0
    for k in range(at, at + BLOCK):
        a = buffer[k]
        mark = (a == 95) | (a == 45) | (a == 46) | (a == 74)
        if mark and may_end_prefix(buffer, at - BEHIND, k) and is_long(buffer, k + 1, at + BLOCK + AHEAD):
            return 1
    return 0


@declare("int64(uint8[::1], int64)", inline=True)
def has_secret(buffer: np.ndarray, at: int) -> int:
    """Return 1 if the `BLOCK` from `at` on has a `:` or `=` behind the last two letters of a name such as `password`.

    A quote, a backslash or a space may stand between them, or several. The bytes `r`, `q`, `p`, `a` follow each other.
    """
    sign = False
    for k in range(at, at + BLOCK):
        i = np.uint64(k)
        a = buffer[i]
        p = buffer[i - _ONE]
        q = buffer[i - _TWO]
        last = p | 32
        before = q | 32
        first = buffer[i - _THREE] | 32
        # rd wd, se, et en ey, al, ls, on; a `_` or `-` may part them.
        name = (last == 100) & ((before == 114) | (before == 119))
        name |= (before == 101) & ((last == 116) | (last == 110) | (last == 121))
        name |= ((last == 101) & (before == 115)) | ((last == 108) & (before == 97))
        name |= ((last == 115) & (before == 108)) | ((last == 110) & (before == 111))
        name |= (before == 127) | (before == 45)
        earlier = (before == 100) & ((first == 114) | (first == 119))
        earlier |= (first == 101) & ((before == 116) | (before == 110) | (before == 121))
        earlier |= ((before == 101) & (first == 115)) | ((before == 108) & (first == 97))
        earlier |= ((before == 115) & (first == 108)) | ((before == 110) & (first == 111))
        earlier |= (first == 127) | (first == 45)
        filler = (p == 32) | (p == 34) | (p == 39) | (p == 92) | (p == 96) | (p == 58)
        fillers = (q == 32) | (q == 34) | (q == 39) | (q == 92) | (q == 96) | (q == 58)
        sign |= ((a == 58) | (a == 61)) & (name | (filler & (earlier | fillers)))
    return 1 if sign else 0


@declare("int64(uint8[::1], int64)", inline=True)
def has_group(buffer: np.ndarray, at: int) -> int:
    """Return 1 if the `BLOCK` from `at` on has groups of a hardware address, or a country and check digits of an IBAN.

    The bytes `r`, `q`, `p`, `a`, `n`, `m`, `o` follow each other.
    """
    sign = False
    for k in range(at, at + BLOCK):
        i = np.uint64(k)
        r = buffer[i - _THREE]
        q = buffer[i - _TWO]
        p = buffer[i - _ONE]
        a = buffer[i]
        n = buffer[i + _ONE]
        m = buffer[i + _TWO]
        o = buffer[i + _THREE]
        # xx-xx-, x.0000. in hexadecimal digits, and AA00 behind what is no letter.
        after = (n >= 48) & (m >= 48)
        sign |= (a == 45) & (o == 45) & (p >= 48) & (q >= 48) & after
        hexadecimal = ((n <= 57) | ((n | 32) <= 102)) & ((m <= 57) | ((m | 32) <= 102))
        sign |= (a == 46) & (buffer[i + _FIVE] == 46) & after & (o >= 48) & (p >= 48) & hexadecimal
        letters = ((p | 32) >= 97) & ((p | 32) <= 122) & ((q | 32) >= 97) & ((q | 32) <= 122)
        begins = (((r | 32) < 97) | ((r | 32) > 122)) & (r != 95)
        sign |= letters & begins & (a >= 48) & (a <= 57) & (n >= 48) & (n <= 57)
    return 1 if sign else 0
