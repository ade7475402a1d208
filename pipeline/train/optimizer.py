"""AdamW: fused, or with moments of 8 bits by torchao."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch.distributed.tensor import DTensor

from pipeline import config
from pipeline.train.extras import check_extras

__all__ = ["make_optimizer", "set_rates"]

_BETAS = (0.9, 0.95)


def make_optimizer(parameters: Mapping[str, torch.nn.Parameter], train: config.Train) -> torch.optim.Optimizer:
    """AdamW; matrices decay, vectors (norms, biases) do not.

    Raises:
        RecipeError: `optimizer: adamw8bit` without torchao.
    """
    groups: dict[tuple[bool, object], list[torch.nn.Parameter]] = {}
    for parameter in parameters.values():
        # A fused step takes tensors of one mesh at a time.
        mesh = parameter.device_mesh if isinstance(parameter, DTensor) else None
        groups.setdefault((parameter.ndim >= 2, mesh), []).append(parameter)
    settings = [
        {"params": values, "weight_decay": train.weight_decay if decayed else 0.0}
        for (decayed, _), values in groups.items()
    ]
    if train.optimizer == "adamw":
        return torch.optim.AdamW(settings, lr=train.learning_rate, betas=_BETAS, fused=True)
    check_extras(optimizer=train.optimizer)
    from torchao.optim import AdamW8bit  # type: ignore[import-not-found]

    return AdamW8bit(settings, lr=train.learning_rate, betas=_BETAS)  # type: ignore[no-any-return]


def set_rates(optimizer: torch.optim.Optimizer, rates: Sequence[float]) -> None:
    """Set the learning rate of every group; torchao's optimisers keep theirs as a tensor and take no other."""
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        if isinstance(group["lr"], torch.Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate
