"""The normal form of a text, of which digests and sketches are taken."""

from __future__ import annotations

import numpy as np

from pipeline.text.characters import whitespace_width
from pipeline.text.kernel import declare

__all__ = ["fold"]


@declare("int64(uint8[::1], int64, int64, uint8[::1], int64)")
def fold(buffer: np.ndarray, start: int, end: int, output: np.ndarray, at: int) -> int:
    """Write the row with A-Z in lower case, whitespace folded and trimmed, and return its new length in bytes.

    Every run of whitespace becomes one space; none is left at the start and the end. Letters beyond ASCII are the
    engine's business (NFKC and lower case). Arguments as of `controls.remove_controls`.
    """
    length = 0
    gap = False
    i = start
    while i < end:
        byte = buffer[i]
        width = 0 if 32 < byte < 0xC2 else whitespace_width(buffer, i, end)  # a shortcut for what is surely none
        if width:
            gap = length > 0
            i += width
            continue
        if gap:
            if at >= 0:
                output[at + length] = 32
            length += 1
            gap = False
        if at >= 0:
            output[at + length] = byte + 32 if 65 <= byte <= 90 else byte
        length += 1
        i += 1
    return length
