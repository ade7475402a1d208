"""What a run of losses says: a step that spiked, a validation loss that no longer falls. Pure functions of histories.

Nothing here has a state: after a resume the histories are read back from the logs.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from pipeline import config
from pipeline.pack.bins import Bin
from pipeline.train.data import MicroBatch
from pipeline.train.parallel import Ranks

__all__ = ["RowLoss", "spike_threshold", "stalled", "worst_rows"]

_LEAST = 5
"""Losses without which no spike is told."""

_LEAST_DEVIATION = 0.01
"""Of the median: a curve without noise must not make every wiggle a spike."""


def spike_threshold(losses: Sequence[float], spikes: config.Spikes) -> float | None:
    """The loss above which the step after `losses` is a spike, or None while there are too few.

    Median and median absolute deviation, so that a spike does not hide the next one; 1.4826 × MAD is the standard
    deviation of normal noise.
    """
    recent = losses[-spikes.window :]
    if len(recent) < _LEAST:
        return None
    middle = statistics.median(recent)
    deviation = 1.4826 * statistics.median(abs(loss - middle) for loss in recent)
    return middle + spikes.deviations * max(deviation, _LEAST_DEVIATION * abs(middle))


def stalled(losses: Sequence[float], validation: config.Validation) -> bool:
    """Whether the last `patience` of the validation losses brought no new best."""
    if validation.patience is None or not losses:
        return False
    best, since = losses[0], 0
    for loss in losses[1:]:
        if loss < best - validation.min_delta:
            best, since = loss, 0
        else:
            since += 1
    return since >= validation.patience


@dataclass(frozen=True, kw_only=True)
class RowLoss:
    """What the model makes of one row."""

    id: str
    loss: float
    """Nats for a target token."""
    target_tokens: int


@torch.no_grad()
def worst_rows(
    bins: Sequence[Bin],
    *,
    loss: Callable[[MicroBatch], torch.Tensor],
    collate: Callable[[Sequence[Bin]], MicroBatch],
    ranks: Ranks,
    share: int,
    most: int,
) -> list[RowLoss]:
    """The rows with the highest loss, of each share's bin with the highest loss; the same list on every rank.

    Bins first and then the rows of one of them: about as many forward passes as a step has, and never all logits.

    Args:
        bins: this rank's of the step; every rank has as many.
        loss: this rank's part of the loss of a micro batch in nats, summed over its targets, without dropout.
        collate: bins to a micro batch on the device.
        ranks: this process among the others.
        share: which share of the step's bins is this rank's; ranks with the same one share the computing.
        most: how many rows.
    """

    def means(some: Sequence[Bin]) -> list[tuple[float, int]]:
        """Nats for a target token, over all ranks that share these bins, and the number of target tokens."""
        batches = [collate([one]) for one in some]
        parts = ranks.gather((share, [float(loss(batch)) for batch in batches]))
        sums = [sum(part[number] for other, part in parts if other == share) for number in range(len(some))]
        return [
            (total / max(batch.num_targets, 1), batch.num_targets) for total, batch in zip(sums, batches, strict=True)
        ]

    of_bins = means(bins)
    worst = bins[max(range(len(bins)), key=of_bins.__getitem__)]
    alone = [_alone(worst, number) for number in range(len(worst.rows))]
    # Ranks may have to compute together: all of them as often.
    rounds = max(ranks.gather(len(alone)))
    alone += [one._replace(loss=np.zeros_like(one.loss)) for one in alone[:1] * (rounds - len(alone))]
    found = {
        one.rows[0]: RowLoss(id=one.rows[0], loss=value, target_tokens=targets)
        for one, (value, targets) in zip(alone, means(alone), strict=True)
        if targets
    }
    everywhere = {name: row for part in ranks.gather(found) for name, row in part.items()}
    return sorted(everywhere.values(), key=lambda row: -row.loss)[:most]


def _alone(one: Bin, number: int) -> Bin:
    """One example of a bin in a bin of its own."""
    begin = int(one.starts[number])
    end = int(one.starts[number + 1]) if number + 1 < len(one.rows) else len(one.tokens)
    return Bin(one.tokens[begin:end], one.loss[begin:end], np.zeros(1, np.uint32), [one.rows[number]])
