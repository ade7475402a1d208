"""The cleaner `quotes`: typographic quotation marks and dashes as plain ones."""

from __future__ import annotations

import numpy as np

from pipeline.text.kernel import declare, int64
from pipeline.text.put import put_byte

__all__ = ["PLAIN", "straighten_quotes"]

PLAIN = {
    **dict.fromkeys("‘’‚‛′‹›＇", "'"),
    **dict.fromkeys("“”„‟″«»＂", '"'),
    **dict.fromkeys("‐‑‒–−", "-"),
    **dict.fromkeys("—―", "--"),
}
"""Every character that changes, and what it becomes; never more bytes than before."""

_CODES = sorted(map(ord, PLAIN))
CODES = np.array(_CODES, np.int64)
MARKS = np.array([ord(PLAIN[chr(code)][0]) for code in _CODES], np.int64)
TIMES = np.array([len(PLAIN[chr(code)]) for code in _CODES], np.int64)


@declare("int64(uint8[::1], int64, int64, uint8[::1], int64)")
def straighten_quotes(buffer: np.ndarray, start: int, end: int, output: np.ndarray, at: int) -> int:
    """Write the row with plain quotation marks and dashes (`PLAIN`), and return its new length in bytes.

    Arguments as of `controls.remove_controls`.
    """
    length = 0
    i = start
    while i < end:
        place = mark_at(buffer, i, end)
        if place < 0:
            length = put_byte(int64(buffer[i]), output, at, length)
            i += 1
            continue
        for _ in range(TIMES[place]):
            length = put_byte(MARKS[place], output, at, length)
        i += 2 if CODES[place] < 0x800 else 3
    return length


@declare("int64(uint8[::1], int64, int64)")
def mark_at(buffer: np.ndarray, at: int, end: int) -> int:
    """Return which of `CODES` the character at `at` is, or -1."""
    first = int64(buffer[at])
    if first == 0xC2:
        code = 0x80 | int64(buffer[at + 1]) & 0x3F if at + 1 < end else 0
    elif (first == 0xE2 or first == 0xEF) and at + 2 < end:
        code = (first & 15) << 12 | (int64(buffer[at + 1]) & 0x3F) << 6 | int64(buffer[at + 2]) & 0x3F
    else:
        return -1
    for k in range(len(CODES)):
        if CODES[k] == code:
            return k
    return -1
