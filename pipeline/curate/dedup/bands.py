"""Locality-sensitive hashing: how many bands, of how many values each.

A pair of similarity s agrees in all `rows` values of a band with probability s^rows, and in at least one of
`bands` bands with probability 1 − (1 − s^rows)^bands.
"""

from __future__ import annotations

from functools import cache
from math import sqrt

import numpy as np

__all__ = ["lower_threshold", "optimal_bands", "upper_threshold"]

_DEVIATIONS = 3.0


def lower_threshold(threshold: float, values: int) -> float:
    """The similarity down to which rows share a cluster, so that they share a split.

    A similarity estimated from a sketch of K values has the standard error √(s(1 − s)/K). Three of them below the
    threshold, a pair whose true similarity reaches it is missed once in a thousand.
    """
    return max(0.0, threshold - _DEVIATIONS * sqrt(threshold * (1.0 - threshold) / values))


def upper_threshold(threshold: float, values: int) -> float:
    """The estimate from which on a pair's true similarity reaches the threshold, but for one pair in a thousand."""
    return min(1.0, threshold + _DEVIATIONS * sqrt(threshold * (1.0 - threshold) / values))


@cache
def optimal_bands(threshold: float, values: int, *, miss_weight: float = 0.9) -> tuple[int, int]:
    """Choose (bands, rows) with bands × rows ≤ values for a similarity threshold.

    Minimises the weighted area of errors, false negatives above the threshold and false positives below it, as
    datasketch's `_optimal_param` does. A false positive costs a comparison of two sketches, a miss leaves a duplicate
    in the data, so misses weigh more by default.
    """
    grid = np.linspace(0.0, 1.0, 201)
    above = grid >= threshold
    best = (np.inf, 1, 1)
    for rows in range(1, values + 1):
        for bands in range(1, values // rows + 1):
            found = 1.0 - (1.0 - grid**rows) ** bands
            missed = float(np.mean(np.where(above, 1.0 - found, 0.0)))
            false = float(np.mean(np.where(above, 0.0, found)))
            error = miss_weight * missed + (1.0 - miss_weight) * false
            if error < best[0] - 1e-12:
                best = (error, bands, rows)
    return best[1], best[2]
