"""The validation loss while training: the same bins each time, shared by the ranks, each target counted once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import numpy as np
import torch

from pipeline.pack.bins import Bin, Bins
from pipeline.train.data import MicroBatch
from pipeline.train.parallel import Ranks

__all__ = ["Stopped", "validation_bins", "validation_loss"]


class Stopped(Exception):
    """A rank was asked to stop before the loss was measured."""


def validation_bins(bins: Bins, *, count: int | None, micro_batch: int, rank: int, world: int) -> list[list[Bin]]:
    """The bins of each of this rank's micro batches; every rank has as many, for they may have to compute together.

    Args:
        bins: of the split.
        count: the first so many of them, or all.
        micro_batch: bins in a micro batch.
        rank: the share that is this rank's …
        world: … of so many.
    """
    total = min(len(bins), count or len(bins))
    rounds = -(-total // (micro_batch * world))

    def one(at: int) -> Bin:
        if at < total:
            return bins.get(at)
        last = bins.get(total - 1)  # fills the last round, and counts nothing
        return last._replace(loss=np.zeros_like(last.loss))

    firsts = [(number * world + rank) * micro_batch for number in range(rounds)]
    return [[one(at) for at in range(first, first + micro_batch)] for first in firsts]


@torch.no_grad()
def validation_loss(
    batches: Sequence[Sequence[Bin]],
    *,
    loss: Callable[[MicroBatch], torch.Tensor],
    collate: Callable[[Sequence[Bin]], MicroBatch],
    ranks: Ranks,
    counts: bool,
    stop: threading.Event,
) -> tuple[float, int]:
    """Nats for a target token over all ranks, and how many there are; NaN where there are none.

    Args:
        batches: of `validation_bins`.
        loss: this rank's part of the loss of a micro batch in nats, summed over its targets, without dropout.
        collate: bins to a micro batch on the device.
        ranks: this process among the others.
        counts: this rank's micro batches are no other's that counts them.
        stop: set when the run is asked to stop.

    Raises:
        Stopped: it is set on any rank.
    """
    total = torch.zeros((), dtype=torch.float64, device=ranks.device)
    counted = 0
    for bins in batches:
        if ranks.any(stop.is_set()):
            raise Stopped
        batch = collate(bins)
        total += loss(batch).double()
        counted += batch.num_targets if counts else 0
    targets = ranks.totals([counted])[0]
    return float(ranks.sum_(total)) / targets if targets else float("nan"), targets
