"""torch.compile of each decoder layer."""

from __future__ import annotations

import torch
from transformers import PreTrainedModel

from pipeline.config import Train
from pipeline.errors import RecipeError
from pipeline.train.shard import decoder_layers

__all__ = ["check_compile", "compile_layers"]


def compile_layers(model: PreTrainedModel, train: Train, device: torch.device) -> None:
    """Have each layer compiled when it is first run, if the recipe asks for it.

    Raises:
        RecipeError: it would come to nothing.
    """
    check_compile(train, device)
    if train.compile:
        for layer in decoder_layers(model):
            layer.compile()


def check_compile(train: Train, device: torch.device) -> None:
    """Refuse compilation that torch would give up in silence.

    On a CPU attention is a loop over rows, which no graph holds: the layer is compiled around it. Where the layer is
    computed a second time, all of it must be one graph, and torch runs it as it stands.

    Raises:
        RecipeError: on a CPU, with activation checkpointing.
    """
    if train.compile and device.type == "cpu" and train.activation_checkpointing != "off":
        raise RecipeError(
            "on a CPU, layers with activation checkpointing are not compiled",
            where=f"train.compile: true, train.activation_checkpointing: {train.activation_checkpointing}",
            mend="set one of them to its default (false, off)",
        )
