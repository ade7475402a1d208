"""Addresses of wallets: what has the form of one; `pipeline.engines.wallets` checks their sums."""

from __future__ import annotations

import numpy as np

from pipeline.text.boundaries import is_word
from pipeline.text.kernel import declare
from pipeline.text.urls import is_hexadecimal

__all__ = ["match_crypto"]


@declare("int64(uint8[::1], int64, int64, int64)")
def match_crypto(buffer: np.ndarray, floor: int, at: int, end: int) -> int:
    """Return where the word that begins at `at` ends if it may be a wallet's address, or 0.

    - Ethereum: `0x` and 40 hexadecimal digits;
    - Bitcoin: `1` or `3` and 25 to 34 letters and digits (base58check), or `bc1` and 11 to 87 (bech32, bech32m).

    Args:
        buffer: Bytes of the column.
        floor: Bytes before it are out of sight.
        at: Where the word begins.
        end: One past the row's last byte.
    """
    if at < floor or (at > floor and is_word(buffer[at - 1])):
        return 0
    ether = buffer[at] == 48  # 0
    if not ether and buffer[at] != 49 and buffer[at] != 51 and (at + 2 >= end or buffer[at + 1] | 0x20 != 99):
        return 0  # neither 1 nor 3 nor bc1
    most = 42 if ether else 90 if buffer[at] | 0x20 == 98 else 35  # b
    i = at
    while i < end and i - at <= most and is_word(buffer[i]) and buffer[i] != 95:
        if ether and i > at + 1 and not is_hexadecimal(buffer[i]):
            return 0
        i += 1
    size = i - at
    if size > most or size < (42 if ether else 14 if most == 90 else 26):
        return 0
    return 0 if i < end and is_word(buffer[i]) else i
