"""Model FLOPs utilisation: what the step's real tokens need, over what the devices could do in its seconds.

    FLOPs of a step =   tokens × 2 × (2 × W + W_trained)  +  targets × 2 × (2 × H + H_trained)
                      + Σ over examples of  6 × layers × heads × head size × length²

W counts the weights of the linear layers, H those of the output layer, which only targets need; embeddings count in
neither. A forward pass takes 2 FLOPs a weight and token, the gradient of the inputs as many, the gradient of the
weights as many again where they are trained. So full training needs 6 W a token (Chowdhery et al. 2022, PaLM, appendix
B, where every token is learnt), LoRA a little over 4 W. Attention is causal and within examples: half of length² for
scores and for values, three times for forward and backward; in a layer with a window w shorter than the example,
2 × length × w - w² in the place of length². Tokens of padding and what activation checkpointing computes again are
waste, and not counted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import torch
from transformers.pytorch_utils import Conv1D

__all__ = ["Flops", "model_flops", "named_peak", "peak_flops"]

_PEAKS = (
    ("H200", 989e12, 67e12),
    ("GH200", 989e12, 67e12),
    ("H100 PCIe", 756e12, 51e12),
    ("H100 NVL", 835e12, 60e12),
    ("H100", 989e12, 67e12),
    ("H20", 148e12, 44e12),
    ("B200", 2250e12, 80e12),
    ("B300", 2250e12, 80e12),
    ("A100", 312e12, 19.5e12),
    ("A10G", 70e12, 35e12),
    ("L40S", 362e12, 91.6e12),
    ("L40", 181e12, 90.5e12),
    ("L4", 121e12, 30.3e12),
    ("RTX 4090", 165e12, 82.6e12),
    ("RTX 5090", 210e12, 105e12),
    ("V100", 125e12, 15.7e12),
    ("T4", 65e12, 8.1e12),
)
"""Words of the name that CUDA gives; dense FLOP/s in 16 bits and in float32, of NVIDIA's data sheets. First match."""


@dataclass(frozen=True, kw_only=True)
class Flops:
    """What a model's training step costs."""

    per_token: float
    per_target: float
    per_square: float
    """For each token² of an example."""

    def of_step(self, *, tokens: int, targets: int, squares: int) -> float:
        """FLOPs of a step.

        Args:
            tokens: without padding.
            targets: those of them that the loss counts.
            squares: Σ length² over the step's examples, averaged over layers with windows.
        """
        return self.per_token * tokens + self.per_target * targets + self.per_square * squares


def model_flops(model: torch.nn.Module) -> Flops | None:
    """Of a transformer with plain attention; None for others (experts, state spaces), whose cost depends on more."""
    config = getattr(model, "config", None)
    heads, layers = getattr(config, "num_attention_heads", None), getattr(config, "num_hidden_layers", None)
    experts = any(getattr(config, name, None) for name in ("num_experts", "num_local_experts", "n_routed_experts"))
    if not isinstance(heads, int) or not isinstance(layers, int) or experts:
        return None
    head = getattr(config, "head_dim", None) or config.hidden_size // heads  # type: ignore[union-attr]
    output = model.get_output_embeddings()  # type: ignore[operator]
    output = getattr(output, "base_layer", output)  # below an adapter
    body = [one for one in model.modules() if isinstance(one, torch.nn.Linear | Conv1D) and one is not output]
    return Flops(
        per_token=sum(_weights(one) for one in body),
        per_target=_weights(output) if isinstance(output, torch.nn.Linear) else 0.0,
        per_square=6.0 * layers * heads * head,
    )


def _weights(layer: torch.nn.Linear | Conv1D) -> float:
    """FLOPs a token; by the shape, for a quantised weight holds several numbers in one."""
    numbers = layer.in_features * layer.out_features if isinstance(layer, torch.nn.Linear) else layer.weight.numel()
    return 2.0 * numbers * (2 + layer.weight.requires_grad)


def peak_flops(device: torch.device, dtype: torch.dtype) -> float | None:
    """Dense FLOP/s of a device as its maker states them, or None where we do not know."""
    if device.type != "cuda":
        return None
    return named_peak(torch.cuda.get_device_name(device), dtype)


def named_peak(name: str, dtype: torch.dtype) -> float | None:
    """Dense FLOP/s of a GPU by CUDA's name for it, such as `NVIDIA A100-SXM4-80GB`; None where we do not know it."""
    for known, half, full in _PEAKS:
        if re.search(rf"\b{known}\b", name):  # whole words: a T400 is no T4
            return full if dtype == torch.float32 else half
    return None
