"""Lines and the phrases that give a passage away: shared by the cleaners that remove passages."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.text.characters import whitespace_width
from pipeline.text.kernel import declare, int64

__all__ = ["filled_line", "holds_phrase", "line_stop", "packed", "skip_blank_lines"]


def packed(phrases: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return phrases, in lower case, as `holds_phrase` takes them: their bytes, and where each begins and ends."""
    encoded = [phrase.encode() for phrase in phrases]
    bounds = np.cumsum([0, *map(len, encoded)]).astype(np.int64)
    return np.frombuffer(b"".join(encoded), np.uint8).copy(), bounds


@declare("int64(uint8[::1], int64, int64, uint8[::1], int64[::1])")
def holds_phrase(buffer: np.ndarray, start: int, end: int, phrases: np.ndarray, bounds: np.ndarray) -> int:
    """Return 1 if one of the phrases occurs, the case of ASCII letters aside.

    Args:
        buffer: Bytes of the column.
        start: Where to look.
        end: One past where to look.
        phrases: Bytes of all phrases, in lower case.
        bounds: Phrase k is `phrases[bounds[k]:bounds[k + 1]]`; none is empty.
    """
    for i in range(start, end):
        byte = lower(buffer[i])
        for k in range(len(bounds) - 1):
            first = bounds[k]
            if phrases[first] == byte and bounds[k + 1] - first <= end - i:
                j = first + 1
                while j < bounds[k + 1] and phrases[j] == lower(buffer[i + j - first]):
                    j += 1
                if j == bounds[k + 1]:
                    return 1
    return 0


@declare("int64(uint8)")
def lower(byte: np.uint8) -> int:
    """Return the byte, A-Z in lower case."""
    return int64(byte) + 32 if 65 <= byte <= 90 else int64(byte)


@declare("int64(uint8[::1], int64, int64)")
def line_stop(buffer: np.ndarray, at: int, end: int) -> int:
    r"""Return where the line ends that `at` lies in: its \n, or `end`."""
    i = at
    while i < end and buffer[i] != 10:
        i += 1
    return i


@declare("int64(uint8[::1], int64, int64)")
def filled_line(buffer: np.ndarray, start: int, end: int) -> int:
    """Return where the first character is that is no whitespace, or -1."""
    i = start
    while i < end:
        width = whitespace_width(buffer, i, end)
        if width == 0:
            return i
        i += width
    return -1


@declare("int64(uint8[::1], int64, int64)")
def skip_blank_lines(buffer: np.ndarray, at: int, end: int) -> int:
    """Return where the first line begins, of those from the line at `at` on, that is not blank; or `end`."""
    i = at
    while i < end:
        stop = line_stop(buffer, i, end)
        if filled_line(buffer, i, stop) >= 0:
            return i
        i = min(stop + 1, end)
    return end
