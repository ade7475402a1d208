"""The micro batches of a step: bins padded to one length, labels shifted within each example."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.pack.bins import Bin
from pipeline.pack.epochs import EpochBins
from pipeline.train.order import Order

__all__ = ["IGNORED", "MicroBatch", "collate", "collate_alone", "micro_batches", "segment_bounds"]

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
    bounds: torch.Tensor
    """(1, 2, 1, S + 1) int32, of all segments: see `segment_bounds`."""
    targets: torch.Tensor
    """(T,) int64, where labels are not `IGNORED`, in the flattened batch."""
    rows: tuple[str, ...]
    """The ids of the examples."""
    num_tokens: int
    """Without padding."""
    num_targets: int
    """Labels that are not `IGNORED`."""

    def to(self, device: torch.device) -> MicroBatch:
        """The same with its tensors on `device`."""
        return replace(
            self,
            tokens=self.tokens.to(device),
            labels=self.labels.to(device),
            positions=self.positions.to(device),
            segments=self.segments.to(device),
            bounds=self.bounds.to(device),
            targets=self.targets.to(device),
        )

    def share(self, index: int, of: int) -> MicroBatch:
        """The piece `index` of `of` equal pieces of a sequence; what is counted is still counted for the whole."""
        length = self.tokens.shape[1] // of
        begin, end = index * length, (index + 1) * length
        labels = self.labels[:, begin:end]
        return replace(
            self,
            tokens=self.tokens[:, begin:end],
            labels=labels,
            positions=self.positions[:, begin:end],
            segments=self.segments[:, begin:end],
            bounds=segment_bounds(self.segments, begin=begin, end=end),
            targets=_targets(labels),
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
    alone: bool = False,
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
        alone: each example in a row by itself, for a model that lets those of one bin see each other.
    """
    entries = order.step(step)
    share = len(entries) // world
    mine = [bins.get(number, epoch if reshuffle else 0) for epoch, number in entries[rank * share : (rank + 1) * share]]
    cut = [mine[at : at + micro_batch] for at in range(0, share, micro_batch)]
    if alone:
        return [collate_alone(part, pad=pad) for part in cut]
    return [collate(part, length=length, pad=pad, multiple=multiple) for part in cut]


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
    return _micro_batch(tokens, labels, positions, segments, bins)


def collate_alone(bins: Sequence[Bin], *, pad: int) -> MicroBatch:
    """Each example of the bins in a row by itself, padded at its end to the longest of them.

    A causal model's outputs do not depend on what comes after, so the padding needs no mask, and none is obeyed by a
    model that this is for.
    """
    cut = [
        (ids, loss)
        for one in bins
        for ids, loss in zip(np.split(one.tokens, one.starts[1:]), np.split(one.loss, one.starts[1:]), strict=True)
    ]
    shape = (len(cut), max(len(ids) for ids, _ in cut))
    tokens = np.full(shape, pad, dtype=np.int64)
    labels = np.full(shape, IGNORED, dtype=np.int64)
    segments = np.ones(shape, dtype=np.int64)
    for row, (ids, loss) in enumerate(cut):
        tokens[row, : len(ids)] = ids
        segments[row, : len(ids)] = 0
        learnt = np.flatnonzero(loss[1:])
        labels[row, learnt] = ids[1:][learnt]
    positions = np.broadcast_to(np.arange(shape[1]), shape).copy()
    return _micro_batch(tokens, labels, positions, segments, bins)


def segment_bounds(segments: torch.Tensor, *, begin: int = 0, end: int | None = None) -> torch.Tensor:
    """The bounds of all segments, of queries and of keys: (1, 2, 1, S + 1) int32.

    Sequences of a batch lie one after another. With a share of the sequence (context parallel; one sequence only),
    queries are those of positions `begin` … `end`, and keys are all: a segment that begins before the share has more
    keys than queries, and its last key goes with its last query.

    Args:
        segments: (B, L), the segment that each position belongs to.
        begin: the first position of the share.
        end: the position behind it; None for the whole sequence.
    """
    new = torch.ones_like(segments, dtype=torch.bool)
    new[:, 1:] = segments[:, 1:] != segments[:, :-1]
    starts = new.flatten().nonzero().flatten()
    if end is None:
        keys = torch.cat([starts, starts.new_tensor([segments.numel()])])
        queries = keys
    else:
        first = int(torch.searchsorted(starts, begin, right=True)) - 1
        keys = torch.cat([starts[first:][starts[first:] < end], starts.new_tensor([end])])
        queries = keys.clamp(min=begin) - begin
    return torch.stack([queries, keys]).to(torch.int32)[None, :, None]


def _micro_batch(
    tokens: NDArray[np.int64],
    labels: NDArray[np.int64],
    positions: NDArray[np.int64],
    segments: NDArray[np.int64],
    bins: Sequence[Bin],
) -> MicroBatch:
    wanted = torch.from_numpy(labels)
    targets = _targets(wanted)
    numbers = torch.from_numpy(segments)
    return MicroBatch(
        tokens=torch.from_numpy(tokens),
        labels=wanted,
        positions=torch.from_numpy(positions),
        segments=numbers,
        bounds=segment_bounds(numbers),
        targets=targets,
        rows=tuple(row for one in bins for row in one.rows),
        num_tokens=sum(len(one.tokens) for one in bins),
        num_targets=len(targets),
    )


def _targets(labels: torch.Tensor) -> torch.Tensor:
    return (labels != IGNORED).flatten().nonzero().flatten()
