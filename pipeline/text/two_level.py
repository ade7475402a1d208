"""A table over all code points, folded: rows of 256 entries that are alike are kept once."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["two_level"]

T = TypeVar("T", bound=np.generic)


def two_level(entries: NDArray[T]) -> tuple[NDArray[np.uint8], NDArray[T]]:
    """Return which row of the second array holds 256 code points, and the rows.

    The entry of a code point is `rows[row_of[code >> 8] * 256 + (code & 255)]`.

    Args:
        entries: shape (0x110000,), of at most 256 different rows of 256.

    Returns:
        `row_of`, uint8 (0x1100), and `rows`, shape (256 r,).
    """
    seen: dict[bytes, int] = {}
    row_of = [seen.setdefault(row.tobytes(), len(seen)) for row in entries.reshape(-1, 256)]
    return np.array(row_of, np.uint8), np.frombuffer(b"".join(seen), entries.dtype).copy()
