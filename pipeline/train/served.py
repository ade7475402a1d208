"""What a model or this machine cannot serve of a recipe, told before a weight is made or read."""

from __future__ import annotations

import torch
from transformers import PreTrainedModel

from pipeline.config import Recipe, Train
from pipeline.errors import RecipeError
from pipeline.train.activation import check_checkpointing
from pipeline.train.attention import Unserved, use_packed, windows_asked
from pipeline.train.compiled import check_compile
from pipeline.train.isolation import probe_bins
from pipeline.train.precision import check_float8
from pipeline.train.windows import Windows

__all__ = ["cannot_share", "check_served"]


def check_served(recipe: Recipe, model: PreTrainedModel, *, device: torch.device) -> None:
    """Refuse what would be refused once the model is loaded.

    Args:
        recipe: with a section `train`.
        model: the recipe's, on the meta device.
        device: what ranks compute on; of a GPU that is not here, nothing is asked.

    Raises:
        RecipeError: activation checkpointing or context parallel that the model does not have, or compilation that
            would come to nothing.
        MachineError: float8 without a device for it, or without torchao.
    """
    train = recipe.training
    check_checkpointing(model, train.activation_checkpointing)
    check_compile(train, device)
    if train.precision == "float8":
        check_float8(device)
    if train.parallel.context > 1 and not (
        _device_serves_bounds(train, device) and _serves_bounds(model, recipe.pack.seq_length)
    ):
        raise cannot_share(train.parallel.context)


def cannot_share(context: int) -> RecipeError:
    """The error of context parallel with a model that attends by a mask or not at all."""
    return RecipeError(
        "the model does not attend within given bounds, so its positions cannot be shared out",
        where=f"train.parallel.context: {context}",
        mend="set context to 1; on a GPU, context parallel also takes train.precision: bf16",
    )


def _device_serves_bounds(train: Train, device: torch.device) -> bool:
    return device.type == "cpu" or train.precision != "fp32"  # flash attention


@torch.no_grad()
def _serves_bounds(model: PreTrainedModel, length: int) -> bool:
    """Whether the model's layers ask `PACKED` for nothing more than it does; by shapes, without a number."""
    windows = Windows.of(model.config, length)
    if windows is None or not use_packed(model):
        return False
    batch = probe_bins(model.config.get_text_config(decoder=True).vocab_size).to(torch.device("meta"))
    try:
        with windows_asked() as asked:
            torch.nn.Module.eval(model)(
                input_ids=batch.tokens, attention_mask=batch.bounds, position_ids=batch.positions, use_cache=False
            )
    except (TypeError, Unserved):
        return False
    except RuntimeError:
        return True  # it reads numbers on its way, and there are none: the probe before the first step tells
    return windows.told(asked, length)
