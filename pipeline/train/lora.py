"""Low-rank adapters (Hu et al., 2021): which layers take one, and the weights with the adapters merged in."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, cast

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from peft.tuners.lora import LoraLayer
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from pipeline import config
from pipeline.atomic import write_json
from pipeline.errors import InputError, RecipeError, did_you_mean
from pipeline.train.quantize import dequantized
from pipeline.train.text import read_by_text

__all__ = [
    "adapted_layers",
    "adapter_numbers",
    "add_adapters",
    "check_tokens",
    "linear_layers",
    "merged_weights",
    "save_adapter",
    "unadapted",
]

_ADAPTER = "default"
"""peft's name for the only adapter."""

_QUANTISED_STATE = re.compile(r"\.weight\.|\.(SCB|weight_format)$")
"""What bitsandbytes saves beside a weight."""


def add_adapters(model: PreTrainedModel, lora: config.Lora, *, seed: int) -> PeftModel:
    """Freeze the model and put an adapter beside each layer that `lora` names.

    A and B are drawn by `seed`; with B zero the model computes what it did before.

    Raises:
        RecipeError: a pattern matches no layer.
    """
    torch.manual_seed(seed)
    settings = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,  # type: ignore[arg-type]  # typed as int, used as a number
        lora_dropout=lora.dropout if lora.dropout_position == "pre" else 0.0,
        target_modules=adapted_layers(model, lora),
        task_type="CAUSAL_LM",
        init_lora_weights=True,
        use_rslora=lora.rslora,
        use_dora=lora.dora,
    )
    # Quantised or in 16 bits, the base is frozen; where peft would cast adapters, the recipe says their type.
    made = cast(PeftModel, get_peft_model(model, settings, autocast_adapter_dtype=False))
    for module in made.modules():
        if isinstance(module, LoraLayer):
            _draw(module, lora)
            if lora.dropout and lora.dropout_position == "post":
                _drop_after(module.lora_B[_ADAPTER], lora.dropout)
    return made


def adapted_layers(model: torch.nn.Module, lora: config.Lora) -> list[str]:
    """The full names of the layers that take an adapter, sorted; `model` may be on the meta device.

    Raises:
        RecipeError: a pattern of `target_modules` or `exclude_modules` matches nothing, or nothing is left.
    """
    linear = linear_layers(model)
    found = set(linear)
    if not isinstance(lora.target_modules, str):
        found = _matched(linear, lora.target_modules, "target_modules")
    found -= _matched(linear, lora.exclude_modules, "exclude_modules")
    if not found:
        raise RecipeError(
            "every layer that target_modules matches is excluded",
            where="train.lora.exclude_modules",
            mend="remove a pattern; `curate-and-train plan` lists the layers that are left",
        )
    return sorted(found)


def check_tokens(tokens: int, rows: int) -> None:
    """Raise where adapters would leave tokens untrained.

    Args:
        tokens: of the tokenizer.
        rows: of the model's embeddings.

    Raises:
        InputError: the model has fewer.
    """
    if tokens > rows:
        raise InputError(
            f"the tokenizer has {tokens} tokens, the model {rows}, and LoRA would leave the new ones untrained",
            where="train.method: lora",
            mend="set train.method: full, or pack.template to one without new tokens",
        )


def adapter_numbers(model: torch.nn.Module, lora: config.Lora) -> int:
    """How many numbers the adapters have: A and B of each layer, and with DoRA a magnitude for each of its outputs.

    Raises:
        RecipeError: a pattern matches nothing.
    """
    shapes = [_shape(model.get_submodule(name)) for name in adapted_layers(model, lora)]
    return sum(lora.rank * (inputs + outputs) + outputs * lora.dora for inputs, outputs in shapes)


def _shape(layer: Any) -> tuple[int, int]:
    if isinstance(layer, torch.nn.Linear):
        return layer.in_features, layer.out_features
    inputs, outputs = layer.weight.shape  # Conv1D
    return int(inputs), int(outputs)


def linear_layers(model: torch.nn.Module) -> list[str]:
    """The full names of all linear layers that text reaches but the output's, sorted."""
    head = cast(PreTrainedModel, model).get_output_embeddings()  # type: ignore[no-untyped-call]
    used = read_by_text(model)
    return sorted(
        name
        for name, module in model.named_modules()
        if _is_linear(module) and module is not head and (used is None or id(module.weight) in used)
    )


def unadapted(model: torch.nn.Module) -> str:
    """What weights take no adapter because no linear layer holds them, as those of experts; empty below 1 %.

    Args:
        model: without adapters or with them; may be on the meta device.
    """
    found = {
        f"{name}.{own}".replace("base_layer.", ""): parameter.numel()
        for name, module in model.named_modules()
        if not isinstance(module, torch.nn.modules.conv._ConvNd)
        for own, parameter in module.named_parameters(recurse=False)
        if parameter.ndim > 2
    }
    numbers = sum(parameter.numel() for parameter in model.parameters())
    if sum(found.values()) * 100 < numbers:
        return ""
    names = dict.fromkeys(re.sub(r"\.\d+(?=\.)", ".*", name) for name in found)
    share = sum(found.values()) / numbers
    return (
        f"no adapter goes to {', '.join(names)}: weights (of experts, mostly) that no linear layer holds, "
        f"{share:.0%} of the model; they stay as they are"
    )


def _is_linear(module: torch.nn.Module) -> bool:
    return isinstance(module, torch.nn.Linear | Conv1D)  # bitsandbytes' layers are subclasses


def _matched(linear: Sequence[str], patterns: Sequence[str], key: str) -> set[str]:
    found: set[str] = set()
    for pattern in patterns:
        matches = {name for name in linear if _matches(name, pattern)}
        if not matches:
            kinds = sorted({name.rpartition(".")[2] for name in linear})
            raise RecipeError(
                f"no layer matches {pattern!r}{did_you_mean(pattern.rpartition('.')[2], kinds)}",
                where=f"train.lora.{key}",
                mend=f"the model's linear layers end in {', '.join(kinds)}",
            )
        found |= matches
    return found


def _matches(name: str, pattern: str) -> bool:
    """Whether a pattern matches a dotted name or its end, segment by segment: no `*` matches a dot.

    Only a pattern's first or last segment, when it is `*`, is any number of segments: `*.layers.1.*` is all of layer 1.
    """
    segments, wanted = name.split("."), pattern.split(".")
    tail = wanted[-1] == "*" and len(wanted) > 1
    wanted = wanted[1:] if wanted[0] == "*" and len(wanted) > 1 else wanted  # a pattern may begin anywhere as it is
    wanted = wanted[:-1] if tail else wanted
    for begin in range(len(segments) - len(wanted) + 1):
        rest = len(segments) - begin - len(wanted)
        if (rest > 0 if tail else rest == 0) and all(
            fnmatchcase(segment, one) for segment, one in zip(segments[begin:], wanted, strict=False)
        ):
            return True
    return False


@torch.no_grad()
def _draw(module: LoraLayer, lora: config.Lora) -> None:
    """Draw A and B as the recipe says, in float32, and give the adapter its type."""
    a, b = (cast(torch.nn.Linear, part[_ADAPTER]) for part in (module.lora_A, module.lora_B))
    weight = torch.empty(a.weight.shape)
    match lora.init_a:
        case "kaiming":
            torch.nn.init.kaiming_uniform_(weight, a=math.sqrt(5))  # as Microsoft's LoRA, and peft
        case "xavier":
            torch.nn.init.xavier_uniform_(weight)
        case "gaussian":
            weight.normal_(std=1 / lora.rank)
        case "uniform":
            weight.uniform_(-1 / lora.rank, 1 / lora.rank)
        case "orthogonal":
            torch.nn.init.orthogonal_(weight)
    a.weight.copy_(weight)
    if lora.init_b == "gaussian":
        b.weight.copy_(torch.empty(b.weight.shape).normal_(std=1 / lora.rank))
    if lora.dtype is not None:
        a.to(getattr(torch, lora.dtype))
        b.to(getattr(torch, lora.dtype))
    if lora.dora:  # its magnitudes are the norms of W + B A as it begins
        cast(Any, module).lora_magnitude_vector[_ADAPTER].update_layer(
            base_layer=module.get_base_layer(),
            lora_A=a.weight,
            lora_B=b.weight,
            scaling=module.scaling[_ADAPTER],
        )


def _drop_after(b: torch.nn.Module, p: float) -> None:
    """Drop what B gives, in training; peft itself drops only what A takes."""
    b.register_forward_hook(lambda module, _, output: torch.nn.functional.dropout(output, p, module.training))


@torch.no_grad()
def merged_weights(model: PeftModel) -> dict[str, torch.Tensor]:
    """Names and weights of the plain model with the adapters added: W + B A × scale, with DoRA of the learnt norms.

    Nothing of `model` is changed: peft's own merge and unmerge do not return to the same bits. Quantised weights are
    dequantised, all of them, so that the merged model is a plain one.
    """
    plain = model.get_base_model()
    merged = {
        f"{name}.weight": _merged(module) for name, module in plain.named_modules() if isinstance(module, LoraLayer)
    }
    quantised = {
        f"{name}.weight": weight
        for name, module in plain.named_modules()
        if (weight := dequantized(module)) is not None
    }
    weights = {}
    for name, tensor in plain.state_dict().items():
        if ".lora_" in name or _QUANTISED_STATE.search(name):
            continue
        key = name.replace(".base_layer.", ".")
        weights[key] = merged.get(key, quantised.get(name, tensor))
    return weights


def _merged(module: LoraLayer) -> torch.Tensor:
    layer = cast(Any, module)
    base = layer.get_base_layer()
    weight = dequantized(base)
    weight = base.weight if weight is None else weight
    delta = layer.get_delta_weight(_ADAPTER).to(weight.dtype)
    if _ADAPTER not in layer.lora_magnitude_vector:
        return cast(torch.Tensor, weight + delta)
    magnitude = layer.lora_magnitude_vector[_ADAPTER].weight
    inputs = 0 if getattr(layer, "fan_in_fan_out", False) else 1  # Conv1D holds its weight the other way round
    norms = torch.linalg.norm(weight + delta, dim=inputs)
    return cast(torch.Tensor, (magnitude / norms).unsqueeze(inputs) * (weight + delta))


def save_adapter(model: PeftModel, folder: Path) -> None:
    """Write the adapter in peft's layout, with the same bytes for the same weights."""
    model.save_pretrained(str(folder), safe_serialization=True)
    (folder / "README.md").unlink(missing_ok=True)  # a card full of blanks
    # peft holds names in a set and writes them in its order, which changes from process to process.
    path = folder / "adapter_config.json"
    settings = json.loads(path.read_text(encoding="utf-8"))
    write_json(path, {key: sorted(value) if key == "target_modules" else value for key, value in settings.items()})
