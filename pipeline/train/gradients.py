"""The gradients of a step: gathered over micro batches and ranks, measured, clipped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
import torch.distributed as dist
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor, Replicate

from pipeline.train.parallel import Ranks
from pipeline.train.precision import Weights, local

__all__ = ["FlatGradient", "Gradient", "ShardedGradient"]


class Gradient(Protocol):
    """What `train_step` asks of the gradients of `weights.masters`."""

    def zero_(self) -> None:
        """Forget the last step."""

    def last_(self, last: bool) -> None:
        """Say before each micro batch whether it is the step's last."""

    def sum_(self) -> None:
        """Sum them over the ranks; after the last micro batch."""

    def norm(self) -> float:
        """Their global L2 norm, the same on every rank."""

    def scale_(self, factor: float) -> None:
        """Multiply them."""


class FlatGradient:
    """All gradients in one float32 buffer, each master's a view into it; every rank has all of them.

    So one all-reduce sums a step's gradients over the ranks, in one order; the norm is one reduction, and clipping
    one product. Weights that the model has in another type add theirs to it as soon as they are known, so micro
    batches are summed in float32 and no second set of gradients is held.
    """

    def __init__(self, weights: Weights, ranks: Ranks) -> None:
        self._ranks = ranks
        masters = list(weights.masters.values())
        self.flat = torch.zeros(sum(value.numel() for value in masters), device=masters[0].device)
        at = 0
        for name, value in weights.masters.items():
            value.grad = self.flat[at : at + value.numel()].view_as(value)
            at += value.numel()
            if weights.computed[name] is not value:
                hook = _adds_to(value.grad)
                weights.computed[name].register_post_accumulate_grad_hook(hook)  # type: ignore[no-untyped-call]

    def zero_(self) -> None:
        """Forget the last step; the views stay, for autograd adds to a gradient that is there in place."""
        self.flat.zero_()

    def last_(self, last: bool) -> None:
        """Nothing is to be done: ranks are summed once, at the end."""

    def sum_(self) -> None:
        """Sum the buffer over the ranks."""
        self._ranks.sum_(self.flat)

    def norm(self) -> float:
        """The global L2 norm; summed in float64, for in float32 a million squares lose the fifth digit."""
        return float(torch.linalg.vector_norm(self.flat, dtype=torch.float64))

    def scale_(self, factor: float) -> None:
        """Multiply the buffer."""
        self.flat.mul_(factor)


def _adds_to(buffer: torch.Tensor) -> Callable[[torch.Tensor], None]:
    def add(parameter: torch.Tensor) -> None:
        assert parameter.grad is not None  # the hook runs when there is one
        buffer.add_(parameter.grad)
        parameter.grad = None

    return add


class ShardedGradient:
    """Gradients that FSDP has summed and cut: each rank holds its shards, in float32.

    Args:
        weights: DTensors, on one mesh or several.
        learner: FSDP's root.
        partial: names of whole weights within layers that tensor parallel cuts by heads (norms of queries and keys):
            each rank of `tensor` has the gradient of its own heads.
        tensor: those ranks; None without tensor parallel.
    """

    def __init__(
        self, weights: Weights, learner: torch.nn.Module, *, partial: Sequence[str], tensor: dist.ProcessGroup | None
    ) -> None:
        assert isinstance(learner, FSDPModule)  # `fully_shard` makes it one
        self._masters = list(weights.masters.values())
        self._learner = learner
        self._partial = [weights.masters[name] for name in partial if name in weights.masters]
        self._tensor = tensor

    def zero_(self) -> None:
        """Forget the last step."""
        for value in self._masters:
            value.grad = None

    def last_(self, last: bool) -> None:
        """Shards are summed after each micro batch, so that none is held whole; their copies after the last."""
        self._learner.set_requires_all_reduce(last)

    def sum_(self) -> None:
        """Add up what tensor parallel left in parts; all else is summed by now."""
        for value in self._masters:
            if value.grad is None:  # a weight that no micro batch used
                value.grad = torch.zeros_like(value)
        for value in self._partial:
            assert value.grad is not None
            dist.all_reduce(local(value.grad), group=self._tensor)

    def norm(self) -> float:
        """The global L2 norm: squares are summed over the ranks that hold different shards, and over no copies."""
        squares: dict[tuple[dist.ProcessGroup, ...], torch.Tensor] = {}
        for value in self._masters:
            assert value.grad is not None
            groups = _sharding(value.grad)
            square = torch.linalg.vector_norm(local(value.grad), dtype=torch.float64).square()
            squares[groups] = squares[groups] + square if groups in squares else square
        total = torch.zeros((), dtype=torch.float64, device=local(self._masters[0]).device)
        for groups, square in squares.items():
            for group in groups:
                dist.all_reduce(square, group=group)
            total = total + square
        return float(total.sqrt())

    def scale_(self, factor: float) -> None:
        """Multiply every shard."""
        torch._foreach_mul_([local(value.grad) for value in self._masters if value.grad is not None], factor)


def _sharding(gradient: torch.Tensor) -> tuple[dist.ProcessGroup, ...]:
    """The groups over which a gradient is cut."""
    if not isinstance(gradient, DTensor):
        return ()
    mesh = gradient.device_mesh
    return tuple(
        mesh.get_group(dimension)
        for dimension, placement in enumerate(gradient.placements)
        if not isinstance(placement, Replicate)
    )
