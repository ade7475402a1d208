"""Model FLOPs utilisation: what the step's real tokens need, over what the devices could do in its seconds.

    FLOPs of a step = tokens × 2 × (2 × W + W_trained)  +  Σ over examples of  6 × layers × heads × head size × length²

W counts the weights of the linear layers, the output layer among them and the embeddings not: a forward pass takes
2 FLOPs a weight and token, the gradient of the inputs as many, the gradient of the weights as many again where they are
trained. So full training needs 6 W a token (Chowdhery et al. 2022, PaLM, appendix B), LoRA a little over 4 W.
Attention is causal and within examples: half of length² for scores and for values, three times for forward and
backward. Tokens of padding and what activation checkpointing computes again are waste, and not counted.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from transformers.pytorch_utils import Conv1D

__all__ = ["Flops", "model_flops", "peak_flops"]

_PEAKS = (
    ("H200", 989e12, 67e12),
    ("H100 PCIe", 756e12, 51e12),
    ("H100", 989e12, 67e12),
    ("H20", 148e12, 44e12),
    ("GH200", 989e12, 67e12),
    ("B200", 2250e12, 80e12),
    ("B300", 2250e12, 80e12),
    ("A100", 312e12, 19.5e12),
    ("A10G", 70e12, 35e12),
    ("L40S", 362e12, 91.6e12),
    ("L4", 121e12, 30.3e12),
    ("RTX 4090", 165e12, 82.6e12),
    ("RTX 5090", 210e12, 105e12),
    ("V100", 125e12, 15.7e12),
    ("T4", 65e12, 8.1e12),
)
"""Part of the name that CUDA gives; dense FLOP/s in 16 bits and in float32, of NVIDIA's data sheets. First match."""


@dataclass(frozen=True, kw_only=True)
class Flops:
    """What a model's training step costs."""

    per_token: float
    per_square: float
    """For each token² of an example."""

    def of_step(self, *, tokens: int, squares: int) -> float:
        """FLOPs of a step.

        Args:
            tokens: without padding.
            squares: Σ length² over the step's examples.
        """
        return self.per_token * tokens + self.per_square * squares


def model_flops(model: torch.nn.Module) -> Flops | None:
    """Of a transformer with plain attention; None for others (experts, state spaces), whose cost depends on more."""
    config = getattr(model, "config", None)
    heads, layers = getattr(config, "num_attention_heads", None), getattr(config, "num_hidden_layers", None)
    experts = any(getattr(config, name, None) for name in ("num_experts", "num_local_experts", "n_routed_experts"))
    if not isinstance(heads, int) or not isinstance(layers, int) or experts:
        return None
    head = getattr(config, "head_dim", None) or config.hidden_size // heads  # type: ignore[union-attr]
    weights = [module.weight for module in model.modules() if isinstance(module, torch.nn.Linear | Conv1D)]
    every = sum(weight.numel() for weight in weights)
    trained = sum(weight.numel() for weight in weights if weight.requires_grad)
    return Flops(per_token=2.0 * (2 * every + trained), per_square=6.0 * layers * heads * head)


def peak_flops(device: torch.device, dtype: torch.dtype) -> float | None:
    """Dense FLOP/s of a device as its maker states them, or None where we do not know."""
    if device.type != "cuda":
        return None
    name = torch.cuda.get_device_name(device)
    for known, half, full in _PEAKS:
        if known in name:
            return full if dtype == torch.float32 else half
    return None
