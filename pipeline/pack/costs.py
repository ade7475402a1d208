"""What the attention of a bin costs, and how long ranks would wait for one another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["RANKS", "attention_cost", "slowest"]

RANKS = 8
"""The balance is given for a step of as many ranks, a bin each."""


def attention_cost(lengths: NDArray[np.int64], first: NDArray[np.int64]) -> NDArray[np.int64]:
    """The sum over each bin's examples of length², shape (bins,): what attention within examples costs."""
    if len(first) < 2:
        return np.empty(0, np.int64)
    return np.add.reduceat(lengths * lengths, first[:-1])


def slowest(costs: NDArray[np.int64]) -> float:
    """The largest of each `RANKS` successive costs over their mean, averaged; 1.0 for fewer than `RANKS`."""
    steps = len(costs) // RANKS
    if not steps:
        return 1.0
    step = costs[: steps * RANKS].reshape(steps, RANKS)
    return float(np.mean(step.max(axis=1) / step.mean(axis=1)))
