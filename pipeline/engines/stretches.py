"""Runs of windows that have one anchor."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

__all__ = ["Stretches"]


class Stretches(NamedTuple):
    """Runs of windows with one anchor: m stretches, in the order of texts and places.

    Attributes:
        keys: uint64 (m), of the anchor's bytes.
        texts: int64 (m), the text that each stands in.
        firsts: int64 (m), the place of its first window's first byte in the column's buffer.
        counts: int64 (m), how many windows it has.
    """

    keys: np.ndarray
    texts: np.ndarray
    firsts: np.ndarray
    counts: np.ndarray
