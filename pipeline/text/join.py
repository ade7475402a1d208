"""The contents of one conversation as one text."""

from __future__ import annotations

import numpy as np

from pipeline.text.kernel import declare, int64

__all__ = ["join_contents"]


@declare("int64(uint8[::1], int64[::1], int64, int64, uint8[::1], int64)")
def join_contents(buffer: np.ndarray, bounds: np.ndarray, first: int, last: int, output: np.ndarray, at: int) -> int:
    r"""Write contents `first…last-1`, with `\n\n` between two, and return the length in bytes.

    Args:
        buffer: Bytes of all contents.
        bounds: Content i is `buffer[bounds[i]:bounds[i + 1]]`.
        first: The row's first content.
        last: One past the row's last content.
        output: Where to write.
        at: Where in `output`; below 0, nothing is written and only the length is measured.
    """
    if last <= first:
        return 0
    if at < 0:
        return int64(bounds[last] - bounds[first] + 2 * (last - first - 1))
    length = 0
    for content in range(first, last):
        if content > first:
            output[at + length] = 10
            output[at + length + 1] = 10
            length += 2
        for i in range(bounds[content], bounds[content + 1]):
            output[at + length] = buffer[i]
            length += 1
    return length
