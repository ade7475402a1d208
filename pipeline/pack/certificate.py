"""What a packing is worth, in numbers that anyone can check against the bins."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.pack.bounds import Bound
from pipeline.pack.costs import attention_cost, slowest

__all__ = ["Certificate"]


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """The bins of one split against what no packing can beat."""

    bins: int
    lower_bound: int
    """Fewer bins are impossible."""
    proved_by: str
    """What proves that: `Bound.proved_by`."""
    weights: dict[str, int]
    """Of a bound that is proved by weights: those of the lengths in slots, or in multiples of slots."""
    gap: int
    """Bins above the bound."""
    slots: int
    """Bins × `pack.seq_length`."""
    efficiency: float
    """Real tokens a slot."""
    target_efficiency: float
    """Targets a slot: what a step learns from for what it computes."""
    slowest: dict[str, float]
    """Attention cost of the slowest of `RANKS` ranks over the mean of its step, averaged over an epoch's steps:
    `shuffled`, bins in any order; `balanced`, bins of like cost in a step (`train.balance`)."""

    @classmethod
    def of(
        cls, *, lengths: NDArray[np.int64], first: NDArray[np.int64], seq_length: int, bound: Bound, targets: int
    ) -> Certificate:
        """Measure bins.

        Args:
            lengths: tokens of each example, in the order of the bins; shape (n,).
            first: where each bin's examples begin; shape (bins + 1,).
            seq_length: slots in a bin.
            bound: of these lengths.
            targets: tokens that are learnt, in all bins.
        """
        bins = len(first) - 1
        slots = bins * seq_length
        costs = attention_cost(lengths, first)
        return cls(
            bins=bins,
            lower_bound=bound.bins,
            proved_by=bound.proved_by,
            weights={str(length): weight for length, weight in bound.weights.items()},
            gap=bins - bound.bins,
            slots=slots,
            efficiency=int(lengths.sum()) / slots if slots else 0.0,
            target_efficiency=targets / slots if slots else 0.0,
            slowest={"shuffled": slowest(costs), "balanced": slowest(np.sort(costs))},
        )

    def to_json(self) -> dict[str, Any]:
        """The form that a manifest holds."""
        return asdict(self)
