"""Ellipsis marks, as NeMo Curator and datatrove list them."""

from __future__ import annotations

import numpy as np

from pipeline.text.kernel import declare, int64

__all__ = ["ends_with_dots", "ends_with_ellipsis"]

# NeMo Curator's `ellipsis_marks` (`stages/text/utils/constants.py`), longer ones before those that they end with.
_LIST = ("[...]", "(...)", "[…]", "...", "…", "-»", "read more..", "read more")
_MARKS = np.frombuffer("".join(_LIST).encode(), np.uint8).copy()
_BOUNDS = np.cumsum([0] + [len(mark.encode()) for mark in _LIST]).astype(np.int64)
_ENDS = np.zeros((2, 256), np.uint8)
"""Bit k is set for the last byte, and the last but one, of mark k, in either case."""
for _k, _mark in enumerate(_LIST):
    for _bytes in (_mark.encode(), _mark.upper().encode()):
        _ENDS[0, _bytes[-1]] |= 1 << _k
        _ENDS[1, _bytes[-2]] |= 1 << _k


@declare("int64(uint8[::1], int64, int64)")
def ends_with_ellipsis(buffer: np.ndarray, first: int, last: int) -> int:
    """Return the bytes of the ellipsis mark, in any case, with which `[first, last)` ends; 0 if there is none."""
    if last - first < 2:
        return 0
    likely = int64(_ENDS[0, buffer[last - 1]] & _ENDS[1, buffer[last - 2]])
    mark = 0
    while likely:
        width = _BOUNDS[mark + 1] - _BOUNDS[mark]
        if likely & 1 and width <= last - first:
            k = int64(0)
            while k < width:
                byte = int64(buffer[last - 1 - k])
                if 65 <= byte <= 90:
                    byte += 32
                if byte != _MARKS[_BOUNDS[mark + 1] - 1 - k]:
                    break
                k += 1
            if k == width:
                return int64(width)
        mark += 1
        likely >>= 1
    return 0


@declare("int64(uint8[::1], int64, int64)")
def ends_with_dots(buffer: np.ndarray, first: int, last: int) -> int:
    """Return 1 if `[first, last)` ends with `...` or `…`."""
    if last - first < 3:
        return 0
    a = buffer[last - 3]
    b = buffer[last - 2]
    c = buffer[last - 1]
    return 1 if (a == 46 and b == 46 and c == 46) or (a == 0xE2 and b == 0x80 and c == 0xA6) else 0
