"""The batch of a step is computed, never iterated to: a pure function of (bins, seed, step).

Bins are taken in a sequence of epochs, each a permutation of all bins drawn by (seed, epoch). Step s takes the
`global_batch` entries from s × global_batch on; each rank takes its slice of them, whatever the number of ranks.
So to resume is to compute, and costs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch

from pipeline.pack.bins import Bins

__all__ = ["IGNORED", "MicroBatch", "bins_of_step", "collate", "micro_batches"]

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
    bins: Bins,
    *,
    step: int,
    seed: int,
    global_batch: int,
    micro_batch: int,
    rank: int,
    world: int,
    length: int,
    pad: int,
) -> list[MicroBatch]:
    """The micro batches of one rank in one step.

    Args:
        bins: the train split.
        step: counted from 0.
        seed: of the order of bins.
        global_batch: bins in a step over all ranks; a multiple of `micro_batch * world`.
        micro_batch: bins in a micro batch.
        rank: of `world`.
        world: how many ranks share the step.
        length: tokens that a bin is padded to.
        pad: the token put there; its value is never learnt nor seen by an example.
    """
    numbers = bins_of_step(len(bins), step=step, seed=seed, global_batch=global_batch)
    share = global_batch // world
    mine = numbers[rank * share : (rank + 1) * share]
    return [collate(bins, mine[at : at + micro_batch], length=length, pad=pad) for at in range(0, share, micro_batch)]


def bins_of_step(num_bins: int, *, step: int, seed: int, global_batch: int) -> list[int]:
    """The numbers of the bins of one step, over all ranks."""
    entries = range(step * global_batch, (step + 1) * global_batch)
    return [int(_permutation(num_bins, seed, entry // num_bins)[entry % num_bins]) for entry in entries]


def collate(bins: Bins, numbers: Sequence[int], *, length: int, pad: int) -> MicroBatch:
    """Pad bins to `length` tokens, number their segments, and shift the labels within each example.

    The loss mask of a bin says which tokens are targets. The token after position t is t's label if it is a
    target of the same example: the last token of an example predicts nothing.
    """
    shape = (len(numbers), length)
    tokens = np.full(shape, pad, dtype=np.int64)
    labels = np.full(shape, IGNORED, dtype=np.int64)
    positions, segments = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    rows: list[str] = []
    num_tokens = 0
    for b, number in enumerate(numbers):
        ids, loss, starts, names = bins.get(number)
        used = len(ids)
        tokens[b, :used] = ids
        begins = np.zeros(length + 1, dtype=bool)
        begins[starts] = True
        begins[used] = True  # the padding, if there is any
        segments[b] = np.cumsum(begins[:length]) - 1
        indices = np.arange(length)
        positions[b] = indices - np.maximum.accumulate(np.where(begins[:length], indices, 0))
        learnt = loss[1:] & ~begins[1:used]
        labels[b, : used - 1] = np.where(learnt, ids[1:].astype(np.int64), IGNORED)
        rows += names
        num_tokens += used
    return MicroBatch(
        tokens=torch.from_numpy(tokens),
        labels=torch.from_numpy(labels),
        positions=torch.from_numpy(positions),
        segments=torch.from_numpy(segments),
        rows=tuple(rows),
        num_tokens=num_tokens,
        num_targets=int((labels != IGNORED).sum()),
    )


@lru_cache(maxsize=2)  # a step touches two epochs at most, but where it is larger than an epoch
def _permutation(num_bins: int, seed: int, epoch: int) -> npt.NDArray[np.int64]:
    """The order of bins in an epoch.

    By sorting raw words of the counter-based generator Philox (Salmon et al., SC 2011) with key (seed, epoch):
    numpy promises these words for ever, and not the stream behind `Generator.permutation` (NEP 19).
    """
    words = np.random.Philox(key=np.array([seed, epoch], dtype=np.uint64)).random_raw(num_bins)
    return np.argsort(words, kind="stable").astype(np.int64, copy=False)
