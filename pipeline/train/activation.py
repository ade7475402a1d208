"""Which activations are kept for the backward pass, and which are computed a second time."""

from __future__ import annotations

import contextlib
from functools import partial
from typing import Any, Literal

import torch
from torch.utils.checkpoint import CheckpointPolicy, create_selective_checkpoint_contexts
from transformers import PreTrainedModel

from pipeline.errors import RecipeError

with contextlib.suppress(ImportError):
    import torch.nn.attention.varlen  # brings its operators

__all__ = ["check_checkpointing", "checkpoint_activations"]

_SAVED = frozenset(
    {
        torch.ops.aten._scaled_dot_product_flash_attention.default,
        torch.ops.aten._scaled_dot_product_flash_attention_for_cpu.default,
        torch.ops.aten._scaled_dot_product_efficient_attention.default,
        torch.ops.aten._scaled_dot_product_cudnn_attention.default,
        torch.ops.aten._flash_attention_forward.default,
    }
    | ({torch.ops.torch_attn._varlen_attn.default} if hasattr(torch.ops.torch_attn, "_varlen_attn") else set())
)
"""Attention is dearest to repeat for what it holds."""

_PRODUCTS = frozenset({torch.ops.aten.mm.default, torch.ops.aten.addmm.default, torch.ops.aten.linear.default})


def checkpoint_activations(model: PreTrainedModel, how: Literal["off", "selective", "full"]) -> None:
    """Keep what enters a decoder layer (`full`), or also attention and every other matrix product (`selective`).

    The choice of products is torchtitan's: half their memory for half their repetition.

    Raises:
        RecipeError: the architecture has no checkpointing.
    """
    if how == "off":
        return
    check_checkpointing(model, how)
    settings: dict[str, Any] = {"use_reentrant": False}
    if how == "selective":
        settings["context_fn"] = _contexts
    if hasattr(model, "activation_checkpointing_enable"):
        model.activation_checkpointing_enable(activation_checkpointing_kwargs=settings)
    else:  # its name before transformers called it deprecated
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs=settings)  # type: ignore[no-untyped-call]


def check_checkpointing(model: PreTrainedModel, how: Literal["off", "selective", "full"]) -> None:
    """Refuse what the architecture does not have.

    Raises:
        RecipeError: it has no checkpointing.
    """
    if how != "off" and not model.supports_gradient_checkpointing:
        raise RecipeError(
            f"{type(model).__name__} has no activation checkpointing in transformers",
            where=f"train.activation_checkpointing: {how}",
            mend="set it to off, and lower train.micro_batch if memory is short",
        )


def _contexts() -> Any:
    """The contexts of one layer's forward pass and of its repetition, each counting products by itself."""
    counts = {"forward": 0, "recompute": 0}
    return create_selective_checkpoint_contexts(partial(_policy, counts))  # type: ignore[no-untyped-call]


def _policy(counts: dict[str, int], context: Any, operator: Any, *_: Any, **__: Any) -> CheckpointPolicy:
    if operator in _SAVED:
        return CheckpointPolicy.MUST_SAVE
    if operator in _PRODUCTS:
        which = "recompute" if context.is_recompute else "forward"
        counts[which] += 1
        if counts[which] % 2:
            return CheckpointPolicy.MUST_SAVE
    return CheckpointPolicy.PREFER_RECOMPUTE
