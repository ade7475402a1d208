"""What the attention of a bin costs, and how long ranks would wait for one another."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

__all__ = ["RANKS", "attention_cost", "slowest", "windowed_cost"]

RANKS = 8
"""The balance is given for a step of as many ranks, a bin each."""


def attention_cost(lengths: NDArray[np.int64], first: NDArray[np.int64]) -> NDArray[np.int64]:
    """The sum over each bin's examples of length², shape (bins,): what attention within examples costs."""
    if len(first) < 2:
        return np.empty(0, np.int64)
    return np.add.reduceat(lengths * lengths, first[:-1])


def windowed_cost(
    lengths: NDArray[np.int64], first: NDArray[np.int64], windows: Mapping[int | None, int]
) -> NDArray[np.int64]:
    """The same, averaged over layers of which some see only a window: of length² they have 2 × length × w - w².

    Args:
        lengths: of all examples.
        first: where each bin's examples begin, and their end.
        windows: how many layers have which, in tokens; None sees all.
    """
    total = np.zeros(max(len(first) - 1, 0), np.int64)
    for window, layers in windows.items():
        seen = lengths if window is None else np.minimum(lengths, window)
        cost = seen * (2 * lengths - seen)
        total += layers * (np.add.reduceat(cost, first[:-1]) if len(total) else total)
    return total // max(sum(windows.values()), 1)


def slowest(costs: NDArray[np.int64]) -> float:
    """The largest of each `RANKS` successive costs over their mean, averaged; 1.0 for fewer than `RANKS`."""
    steps = len(costs) // RANKS
    if not steps:
        return 1.0
    step = costs[: steps * RANKS].reshape(steps, RANKS)
    return float(np.mean(step.max(axis=1) / step.mean(axis=1)))
