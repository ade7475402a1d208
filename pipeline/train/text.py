"""Of a model of text and something else, what text reaches: nothing else is trained or takes adapters."""

from __future__ import annotations

import torch
from transformers import PreTrainedModel

__all__ = ["freeze_unread", "read_by_text"]


def read_by_text(model: torch.nn.Module) -> set[int] | None:
    """The `id` of each parameter that a forward pass of text may use; None where that is all of them.

    Args:
        model: of transformers; may be on the meta device.
    """
    if not isinstance(model, PreTrainedModel) or model.config.get_text_config(decoder=True) is model.config:
        return None
    decoder, head = model.get_decoder(), model.get_output_embeddings()  # type: ignore[no-untyped-call]
    if decoder is model or not isinstance(decoder, torch.nn.Module):
        return None
    return {id(one) for part in (decoder, head) if part is not None for one in part.parameters()}


def freeze_unread(model: PreTrainedModel) -> None:
    """Have no gradient kept of what text does not reach: it would be zero, and weight decay would shrink it."""
    used = read_by_text(model)
    if used is None:
        return
    for parameter in model.parameters():
        if id(parameter) not in used:
            parameter.requires_grad_(False)
