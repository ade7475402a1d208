"""Low-rank adapters (Hu et al., 2021): which layers take one, and the weights with the adapters merged in."""

from __future__ import annotations

import json
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import cast

import torch
from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from peft.tuners.lora import Linear as LoraLinear
from peft.tuners.lora import LoraLayer
from safetensors.torch import load_file
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from pipeline import config
from pipeline.atomic import write_json
from pipeline.errors import InputError, RecipeError, did_you_mean

__all__ = ["add_adapters", "load_adapter", "matched_layers", "merged_weights", "save_adapter"]

_ADAPTER = "default"
"""peft's name for the only adapter."""


def add_adapters(model: PreTrainedModel, lora: config.Lora, *, seed: int) -> PeftModel:
    """Freeze the model and put an adapter beside each layer that `lora.target_modules` matches.

    A is drawn by `seed`, B is zero: the model computes what it did before.

    Raises:
        RecipeError: a pattern matches no layer.
    """
    torch.manual_seed(seed)
    names = matched_layers(model, lora.target_modules)
    settings = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,  # type: ignore[arg-type]  # typed as int, used as a number
        lora_dropout=lora.dropout,
        target_modules=names,
        task_type="CAUSAL_LM",
        init_lora_weights=True,
    )
    return get_peft_model(model, settings)


def matched_layers(model: PreTrainedModel, patterns: str | Sequence[str]) -> list[str]:
    """The full names of the linear layers that take an adapter, sorted.

    `all-linear` is every linear layer but the output's. A pattern is a shell pattern over the dotted name, or over
    its end: `q_proj`, `mlp.*`, `*.layers.1.*`. A dot is a dot: layer 1 is not layer 10.

    Raises:
        RecipeError: a pattern matches nothing.
    """
    head = model.get_output_embeddings()  # type: ignore[no-untyped-call]
    linear = sorted(
        name
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear | Conv1D) and module is not head
    )
    if isinstance(patterns, str):
        return linear
    found: set[str] = set()
    for pattern in patterns:
        matches = {name for name in linear if fnmatchcase(name, pattern) or fnmatchcase(name, f"*.{pattern}")}
        if not matches:
            kinds = sorted({name.rpartition(".")[2] for name in linear})
            raise RecipeError(
                f"no layer matches {pattern!r}{did_you_mean(pattern.rpartition('.')[2], kinds)}",
                where="train.lora.target_modules",
                mend=f"the model's linear layers end in {', '.join(kinds)}",
            )
        found |= matches
    return sorted(found)


def merged_weights(model: PeftModel) -> dict[str, torch.Tensor]:
    """Names and weights of the plain model with the adapters added: W + B A × alpha / rank.

    Nothing of `model` is changed: peft's own merge and unmerge do not return to the same bits.
    """
    plain = model.get_base_model()
    deltas = {
        f"{name}.weight": cast(LoraLinear, module).get_delta_weight(_ADAPTER)
        for name, module in plain.named_modules()
        if isinstance(module, LoraLayer)
    }
    weights = {}
    for name, tensor in plain.state_dict().items():
        if ".lora_" in name:
            continue
        name = name.replace(".base_layer.", ".")
        weights[name] = tensor + deltas[name] if name in deltas else tensor
    return weights


def save_adapter(model: PeftModel, folder: Path) -> None:
    """Write the adapter in peft's layout, with the same bytes for the same weights."""
    model.save_pretrained(str(folder), safe_serialization=True)
    (folder / "README.md").unlink(missing_ok=True)  # a card full of blanks
    # peft holds names in a set and writes them in its order, which changes from process to process.
    path = folder / "adapter_config.json"
    settings = json.loads(path.read_text(encoding="utf-8"))
    write_json(path, {key: sorted(value) if key == "target_modules" else value for key, value in settings.items()})


def load_adapter(model: PeftModel, folder: Path) -> None:
    """Put the weights of a saved adapter into the model's.

    Raises:
        InputError: they are not this adapter's.
    """
    weights = load_file(folder / "adapter_model.safetensors")
    if set(weights) != set(get_peft_model_state_dict(model)):
        raise InputError(
            "the adapter is of another model or of other layers", where=str(folder), mend="delete the checkpoints"
        )
    set_peft_model_state_dict(model, weights)
