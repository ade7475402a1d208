"""The micro batches of a step: bins padded to one length, labels shifted within each example."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.pack.bins import Bin
from pipeline.pack.epochs import EpochBins
from pipeline.train.order import Order

__all__ = ["IGNORED", "MicroBatch", "collate", "micro_batches"]

IGNORED = -100
"""The label of a position that predicts no target."""


@dataclass(frozen=True, kw_only=True)
class MicroBatch:
    """Bins that go through the model at once, all padded to one length L.

    Every example is a segment; the padding at the end of a bin is one more. Labels are shifted already:
    `labels[b, t]` is the token that position t must predict.
    """

    tokens: torch.Tensor
    """(B, L) int64."""
    labels: torch.Tensor
    """(B, L) int64; `IGNORED` where nothing is learnt."""
    positions: torch.Tensor
    """(B, L) int64, from 0 in each segment."""
    segments: torch.Tensor
    """(B, L) int64, the number of the segment within its bin."""
    rows: tuple[str, ...]
    """The ids of the examples."""
    num_tokens: int
    """Without padding."""
    num_targets: int
    """Labels that are not `IGNORED`."""

    def to(self, device: torch.device) -> MicroBatch:
        """The same with its tensors on `device`."""
        return MicroBatch(
            tokens=self.tokens.to(device),
            labels=self.labels.to(device),
            positions=self.positions.to(device),
            segments=self.segments.to(device),
            rows=self.rows,
            num_tokens=self.num_tokens,
            num_targets=self.num_targets,
        )


def micro_batches(
    bins: EpochBins,
    order: Order,
    *,
    step: int,
    micro_batch: int,
    rank: int,
    world: int,
    length: int,
    pad: int,
    multiple: int = 1,
    reshuffle: bool = True,
) -> list[MicroBatch]:
    """The micro batches of one rank in one step.

    Args:
        bins: the train split.
        order: of its bins.
        step: counted from 0.
        micro_batch: bins in a micro batch.
        rank: of `world`.
        world: how many ranks share the step; `micro_batch * world` divides the step.
        length: tokens that a bin is padded to.
        pad: the token put there; its value is never learnt nor seen by an example.
        multiple: an example takes slots in multiples of this.
        reshuffle: examples of equal length change places each epoch.
    """
    entries = order.step(step)
    share = len(entries) // world
    mine = [bins.get(number, epoch if reshuffle else 0) for epoch, number in entries[rank * share : (rank + 1) * share]]
    return [
        collate(mine[at : at + micro_batch], length=length, pad=pad, multiple=multiple)
        for at in range(0, share, micro_batch)
    ]


def collate(bins: Sequence[Bin], *, length: int, pad: int, multiple: int = 1) -> MicroBatch:
    """Pad bins to `length` tokens, number their segments, and shift the labels within each example.

    The loss mask of a bin says which tokens are targets. The token after position t is t's label if it is a
    target of the same example: the last token of an example predicts nothing. With `multiple` above 1 an example
    begins at a multiple of it; the padding before the next one belongs to its segment, behind all that it attends to.
    """
    shape = (len(bins), length)
    tokens = np.full(shape, pad, dtype=np.int64)
    labels = np.full(shape, IGNORED, dtype=np.int64)
    positions, segments = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    indices = np.arange(length)
    for b, (ids, loss, starts, _) in enumerate(bins):
        ends: NDArray[np.int64] = np.append(starts[1:], len(ids)).astype(np.int64)
        lengths = ends - starts
        slots = -(-lengths // multiple) * multiple
        at = np.cumsum(slots) - slots
        place = np.arange(len(ids)) + np.repeat(at - starts, lengths)
        tokens[b, place] = ids
        begins = np.zeros(length + 1, dtype=bool)
        begins[at] = True
        begins[slots.sum()] = True  # the padding at the end, if there is any
        segments[b] = np.cumsum(begins[:length]) - 1
        positions[b] = indices - np.maximum.accumulate(np.where(begins[:length], indices, 0))
        learnt = loss.copy()
        learnt[starts] = False
        labels[b, place[learnt] - 1] = ids[learnt]
    return MicroBatch(
        tokens=torch.from_numpy(tokens),
        labels=torch.from_numpy(labels),
        positions=torch.from_numpy(positions),
        segments=torch.from_numpy(segments),
        rows=tuple(row for one in bins for row in one.rows),
        num_tokens=sum(len(one.tokens) for one in bins),
        num_targets=int((labels != IGNORED).sum()),
    )
