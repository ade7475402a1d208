"""AdamW: fused, or with moments of 8 bits by torchao."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch.distributed.tensor import DTensor

from pipeline import config
from pipeline.errors import MachineError

__all__ = ["make_optimizer"]

_BETAS = (0.9, 0.95)


def make_optimizer(parameters: Mapping[str, torch.nn.Parameter], train: config.Train) -> torch.optim.Optimizer:
    """AdamW; matrices decay, vectors (norms, biases) do not.

    Raises:
        MachineError: `optimizer: adamw8bit` without torchao.
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
    try:
        from torchao.optim import AdamW8bit  # type: ignore[import-not-found]
    except ImportError:
        raise MachineError(
            "an optimiser with moments of 8 bits takes the package torchao, which is not installed",
            where="train.optimizer: adamw8bit",
            mend="install torchao for this torch, or set train.optimizer: adamw",
        ) from None
    return AdamW8bit(settings, lr=train.learning_rate, betas=_BETAS)  # type: ignore[no-any-return]
