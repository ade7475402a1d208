"""Context parallel: ranks hold equal shares of a sequence, and gather its keys and values where they attend.

Packed examples are short beside a bin, so keys and values of a whole bin are little beside its activations; and with
all of them at hand, the bounds of segments are obeyed as on one rank. A ring (`torch.distributed.tensor.experimental.
context_parallel`) attends by position within the sequence alone, and takes neither bounds nor a mask.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist

__all__ = ["gather_sequence"]


def gather_sequence(
    key: torch.Tensor, value: torch.Tensor, group: dist.ProcessGroup
) -> tuple[torch.Tensor, torch.Tensor]:
    """Keys and values (B, K, L, D) of all ranks' shares (B, K, L / ranks, D), in the order of ranks."""
    both = _Gather.apply(torch.stack([key, value]), group)  # type: ignore[no-untyped-call]
    return both[0], both[1]


class _Gather(torch.autograd.Function):
    """All shares, joined; backward each rank gets what all of them have to say of its share."""

    @staticmethod
    def forward(ctx: Any, both: torch.Tensor, group: dist.ProcessGroup) -> torch.Tensor:
        ctx.group = group
        world = dist.get_world_size(group)
        parts = [torch.empty_like(both, memory_format=torch.contiguous_format) for _ in range(world)]
        dist.all_gather(parts, both.contiguous(), group=group)
        return torch.cat(parts, dim=3)

    @staticmethod
    def backward(ctx: Any, slope: torch.Tensor) -> tuple[torch.Tensor, None]:
        world, rank = dist.get_world_size(ctx.group), dist.get_rank(ctx.group)
        # A sum in one order on every rank; gloo scatters no sums of lists.
        total = slope.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total, group=ctx.group)
        return total.chunk(world, dim=3)[rank], None
