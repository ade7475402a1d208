"""Text columns that a loop writes in two passes: every row is measured, then written where it belongs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from pipeline.engines.columns import to_arrow

__all__ = ["NOTHING", "NOWHERE", "Loop", "write_texts"]

NOWHERE = np.empty(0, np.int64)
"""Given as places: only measure. Given as lengths: they are known already."""

NOTHING = np.empty(0, np.uint8)
"""Given as the output of a pass that only measures."""

Loop = Callable[[np.ndarray, np.ndarray, np.ndarray], None]
"""A loop of `loops` over (places, lengths, output), its other arguments bound."""


def write_texts(rows: int, loop: Loop) -> pa.LargeStringArray:
    """Measure every row, add up where each begins, and write.

    Args:
        rows: How many texts the loop makes.
        loop: Called twice: with no places, to fill `lengths`; then with the place in `output` of every row.

    Returns:
        The texts, `rows` of them.
    """
    bounds = np.zeros(rows + 1, np.int64)
    loop(NOWHERE, bounds[1:], NOTHING)
    np.cumsum(bounds, out=bounds)
    output = np.empty(bounds[-1], np.uint8)
    loop(bounds, NOWHERE, output)
    return to_arrow(output, bounds)
