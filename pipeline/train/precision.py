"""In which type the model computes, and the float32 weights that the optimiser updates."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Literal

import torch
from torch.distributed.tensor import DTensor

from pipeline.errors import MachineError

__all__ = ["Weights", "check_float8", "compute_in", "to_float8"]

Precision = Literal["fp32", "bf16", "float8"]

_FLOAT8 = (8, 9)
"""The compute capability from which a GPU has float8 matrix units (Ada, Hopper)."""


class Weights:
    """The trained weights by name: `masters` in float32 for the optimiser, `computed` in the model's own type.

    They are the same tensors where the model computes in float32, and where FSDP shards it: FSDP keeps float32 and
    casts what it gathers.

    Args:
        computed: as the model has them, by name.
        exact: of them, what they were before `compute_in` rounded them.
    """

    def __init__(
        self, computed: Mapping[str, torch.nn.Parameter], exact: Mapping[torch.nn.Parameter, torch.Tensor] | None = None
    ) -> None:
        self.computed = dict(computed)
        exact = exact or {}
        self.masters = {
            name: value
            if value.dtype == torch.float32
            else torch.nn.Parameter(exact[value] if value in exact else value.detach().to(torch.float32))
            for name, value in self.computed.items()
        }
        self._apart = [name for name, value in self.computed.items() if self.masters[name] is not value]

    @torch.no_grad()
    def publish(self) -> None:
        """Round the masters to what the model computes with; after each update."""
        if self._apart:
            torch._foreach_copy_(
                [self.computed[name] for name in self._apart], [self.masters[name] for name in self._apart]
            )

    def numel(self) -> int:
        """Numbers that are trained, over all ranks."""
        return sum(value.numel() for value in self.computed.values())


def compute_in(
    model: torch.nn.Module, dtype: torch.dtype, *, keep: str | None = None
) -> dict[torch.nn.Parameter, torch.Tensor]:
    """Cast the parameters, and no buffers: the frequencies of rotary positions must stay float32.

    Args:
        model: may hold quantised parameters, which stay as they are.
        dtype: of the others, …
        keep: … but of those with this in their names.

    Returns:
        Of the trained parameters that were cast, what they were.
    """
    exact = {}
    for name, parameter in model.named_parameters():
        if parameter.is_floating_point() and parameter.dtype != dtype and not (keep and keep in name):
            if parameter.requires_grad:
                exact[parameter] = parameter.data
            parameter.data = parameter.data.to(dtype)
    return exact


def to_float8(model: torch.nn.Module, device: torch.device) -> None:
    """Have the decoder's linear layers multiply in float8, scaled a row, by torchao.

    Raises:
        MachineError: no torchao, or no GPU that has float8.
    """
    check_float8(device)
    from torchao.float8 import Float8LinearConfig, convert_to_float8_training  # type: ignore[import-not-found]

    convert_to_float8_training(
        model,
        config=Float8LinearConfig.from_recipe_name("rowwise"),
        # The head's and the adapters' stay: their errors cost most, and small ones gain nothing. float8 takes 16s.
        module_filter_fn=lambda module, name: (
            "lm_head" not in name
            and "lora_" not in name
            and all(size % 16 == 0 for size in getattr(module, "weight", torch.empty(1)).shape)
        ),
    )


def check_float8(device: torch.device) -> None:
    """Look for what float8 takes; of a GPU, where one is here to be asked.

    Raises:
        MachineError: no torchao, or no GPU that has float8.
    """
    elsewhere = device.type == "cuda" and not torch.cuda.is_available()
    have = torch.cuda.get_device_capability(device) if device.type == "cuda" and not elsewhere else None
    if not elsewhere and (have is None or have < _FLOAT8):
        what = "a CPU" if have is None else f"compute capability {have[0]}.{have[1]}"
        raise MachineError(
            f"float8 takes a GPU of compute capability 8.9 or above (Ada, Hopper, Blackwell), and this is {what}",
            where="train.precision: float8",
            mend="set train.precision: bf16",
        )
    if find_spec("torchao") is None:
        raise MachineError(
            "float8 takes the package torchao, which is not installed",
            where="train.precision: float8",
            mend="install torchao for this torch, or set train.precision: bf16",
        )


def local(tensor: torch.Tensor) -> torch.Tensor:
    """What this rank holds of a tensor."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor
