"""QLoRA (Dettmers et al., 2023): frozen weights in 4 or 8 bits by bitsandbytes, and plain again for the export."""

from __future__ import annotations

from typing import Any

import torch
from peft.utils.integrations import dequantize_module_weight
from transformers import BitsAndBytesConfig

from pipeline import config
from pipeline.train.extras import check_extras

__all__ = ["dequantized", "keep_as_loaded", "quantization"]


def quantization(quantize: str, compute: torch.dtype) -> BitsAndBytesConfig:
    """What transformers needs to know to load weights as `nf4`, `fp4` or `int8`.

    Args:
        quantize: one of these.
        compute: the type in which products with 4-bit weights are taken; with 8 bits bitsandbytes takes its own.

    Raises:
        RecipeError: bitsandbytes is not installed.
    """
    check_extras(lora=config.Lora.model_validate({"quantize": quantize}))
    if quantize == "int8":
        return BitsAndBytesConfig(load_in_8bit=True)  # type: ignore[no-untyped-call]
    return BitsAndBytesConfig(  # type: ignore[no-untyped-call]
        load_in_4bit=True,
        bnb_4bit_quant_type=quantize,
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=compute,
    )


def keep_as_loaded(model: torch.nn.Module) -> None:
    """Keep bitsandbytes from laying 4-bit weights out anew when they are first validated on a CPU with AVX512-BF16.

    That layout computes in bfloat16, takes only layers whose outputs are a multiple of 32, and is not undone when
    weights are dequantized: the merged model would be noise (`Linear4bit.forward`, bitsandbytes 0.50).
    """
    module: Any
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False


def dequantized(module: torch.nn.Module) -> torch.Tensor | None:
    """The weight of one of bitsandbytes' layers as a plain tensor, or None for any other module."""
    if not type(module).__module__.startswith("bitsandbytes"):
        return None
    layer: Any = module
    return dequantize_module_weight(layer).to(torch.float32)
