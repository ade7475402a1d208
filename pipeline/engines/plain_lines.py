"""What a kernel read of JSON lines."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa

__all__ = ["PlainLines"]


class PlainLines(NamedTuple):
    """What was read of n lines.

    Attributes:
        plain: bool (n), which were.
        texts: The texts of the m that were, row by row: m times as many as there are keys.
        rest: The exact JSON of each one's other members, or `""`: m texts.
    """

    plain: np.ndarray
    texts: pa.LargeStringArray
    rest: pa.LargeStringArray
