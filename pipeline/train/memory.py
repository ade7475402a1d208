"""What a rank will hold in memory, from the recipe and the model's configuration alone: no weight is made or read.

    weights       4 bytes a trained number (float32), over shards; 2 more in bf16: a copy without shards, and with them
                  what FSDP has gathered: the largest layer twice, and embedding and head. Frozen ones: 4, in bf16 2,
                  linear layers quantised to 4 bits 0.52, to 8 bits 1
    gradients     4 bytes a trained number, over shards
    optimiser     8 bytes a trained number, over shards; 2 with adamw8bit
    activations   of one micro batch; see `_a_layer`
    logits        of one chunk of the loss, in float32, twice; and the gradient of the head
    overhead      what CUDA and NCCL, or Python and torch, take for themselves

Before that every rank reads the whole model in float32 (frozen linear layers quantised) into the memory of its
machine, also where it keeps a shard of it or moves it to a GPU: `loading`. How many do so at a time: `Ranks.in_turns`.

The activations follow Korthikanti et al. (2022), "Reducing Activation Recomputation in Large Transformer Models",
without the L² term, which attention within bounds does not have. An estimate to plan by, not a promise:
fragmentation, workspaces and compiled kernels are not in it.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import torch
from transformers import AutoModelForCausalLM, PretrainedConfig, PreTrainedModel

from pipeline.config import Recipe, Train
from pipeline.train.chunked_loss import chunk_rows
from pipeline.train.lora import adapter_numbers, linear_layers
from pipeline.train.shard import decoder_layers
from pipeline.train.text import read_by_text

__all__ = ["MemoryEstimate", "advice", "estimate"]

_OVERHEAD = {"cpu": 0.5, "cuda": 1.5}
"""GiB."""

GIB = 1 << 30


@dataclass(frozen=True, kw_only=True)
class MemoryEstimate:
    """Bytes of one rank."""

    weights: int
    gradients: int
    optimizer: int
    activations: int
    logits: int
    overhead: int
    parameters: int
    """Numbers in the whole model."""
    trainable: int
    """Of them, or of its adapters."""
    loading: int
    """Bytes of the machine's memory that the rank takes while it reads the model."""

    @property
    def total(self) -> int:
        """Of all parts."""
        return self.weights + self.gradients + self.optimizer + self.activations + self.logits + self.overhead

    def lines(self) -> list[str]:
        """For people: a line a part, largest first, and the sum."""
        parts = ("weights", "gradients", "optimizer", "activations", "logits", "overhead")
        ordered = sorted(parts, key=lambda part: -getattr(self, part))
        return [f"{part:<12}{getattr(self, part) / GIB:8.2f} GiB" for part in ordered] + [
            f"{'in all':<12}{self.total / GIB:8.2f} GiB a rank"
        ]


def estimate(recipe: Recipe, config: PretrainedConfig, *, vocab_size: int | None = None) -> MemoryEstimate:
    """What one rank of the recipe's training holds at its peak.

    Args:
        recipe: with a section `train`.
        config: of the model, by transformers.
        vocab_size: the tokenizer's, where it is known and may enlarge the model's.
    """
    train = recipe.training
    text = config.get_text_config(decoder=True)  # the model of text in one of text and images; else the same
    if vocab_size is not None and vocab_size > text.vocab_size:
        config = copy.deepcopy(config)  # not made anew: it would forget the folder of its own code
        text = config.get_text_config(decoder=True)
        text.vocab_size = vocab_size
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(  # type: ignore[no-untyped-call]
            config, trust_remote_code=train.model.trust_remote_code
        )
    layers = decoder_layers(model)
    whole = sum(parameter.numel() for parameter in model.parameters())
    layer = max(sum(parameter.numel() for parameter in one.parameters()) for one in layers)
    outside = whole - sum(parameter.numel() for one in layers for parameter in one.parameters())
    tensor, shard = train.parallel.tensor, train.parallel.shard
    mine = (whole - outside) // tensor + outside  # embedding and head are not cut by heads
    used = read_by_text(model)
    unread = 0 if used is None else sum(one.numel() for one in model.parameters() if id(one) not in used)
    trained, frozen = mine - unread, unread
    if train.method == "lora":
        frozen, trained = whole, adapter_numbers(model, train.lora)
    cut = shard * tensor > 1
    half = train.precision != "fp32"
    gathered = 2 * layer // tensor + outside if cut else 0
    if cut:
        weights = 4 * (trained + frozen) // shard + (2 if half else 4) * gathered
    else:
        plain = 2 if half else 4
        weights = (6 if half else 4) * trained + plain * frozen - _saved(model, train, plain=plain)
    device = _device(recipe)
    size = train.micro_batch * recipe.pack.seq_length // train.parallel.context
    rows = min(size, chunk_rows(text.vocab_size, device))
    head = 4 * text.vocab_size * text.hidden_size if train.method == "full" else 0
    return MemoryEstimate(
        weights=weights,
        gradients=4 * trained // shard,
        optimizer=(2 if train.optimizer == "adamw8bit" else 8) * trained // shard,
        activations=_activations(text, train, layers=len(layers), tokens=size),
        logits=2 * 4 * rows * text.vocab_size + head,
        overhead=int(_OVERHEAD[device] * GIB),
        parameters=whole + (trained if train.method == "lora" else 0),
        trainable=trained,
        # Unless FSDP casts what it gathers, rounded weights come beside those that are read.
        loading=4 * whole - _saved(model, train, plain=4) + (2 * trained if half and not cut else 0),
    )


def advice(found: MemoryEstimate, recipe: Recipe, *, room: int) -> list[str]:
    """What to change, most effective first, where the estimate is more than the `room` bytes of a device; else none."""
    if found.total <= room:
        return []
    train = recipe.training
    over = found.total - room
    steps: list[tuple[int, str]] = []
    states = found.weights + found.gradients + found.optimizer
    if train.method == "full":
        steps.append((states * 3 // 4, "train.method: lora"))
        if train.parallel.shard == 1:
            steps.append((states // 2, "train.parallel.shard: 2 or more, over more ranks"))
        if train.optimizer == "adamw":
            steps.append((found.optimizer * 3 // 4, "train.optimizer: adamw8bit, with torchao"))
    if train.activation_checkpointing != "full":
        steps.append((found.activations * 3 // 4, "train.activation_checkpointing: full"))
    if train.micro_batch > 1:
        steps.append((found.activations // 2, f"train.micro_batch: {train.micro_batch // 2}"))
    elif found.activations > over:
        steps.append((found.activations // 2, f"pack.seq_length: {recipe.pack.seq_length // 2}"))
    if train.precision == "fp32" and _device(recipe) == "cuda":
        steps.append((found.activations // 2, "train.precision: bf16"))
    return [f"{text} (about {saved / GIB:.1f} GiB less)" for saved, text in sorted(steps, reverse=True) if saved > 0]


def _activations(config: Any, train: Train, *, layers: int, tokens: int) -> int:
    """Bytes of one micro batch's activations, and of one layer's that is computed a second time."""
    inner = _a_layer(config, tensor=train.parallel.tensor)
    width = 4 if train.precision == "fp32" else 2
    border = config.hidden_size
    kept = {
        "off": layers * inner,
        "selective": layers * (border + inner // 2) + inner,
        "full": layers * border + inner,
    }[train.activation_checkpointing]
    # Embedding, final norm and the output of the decoder, and their gradients.
    return int(tokens * width * (kept + 4 * border))


def _a_layer(config: Any, *, tensor: int) -> int:
    """Numbers kept for each token of a layer: of each of these the part that this rank has.

    Both residuals, and both norms' inputs and outputs; queries, keys and values before and after rotation; the
    attention's output twice; the gate, its activation, the product beside it, and both joined.
    """
    heads = getattr(config, "num_attention_heads", None) or 0  # state spaces have none
    size = getattr(config, "head_dim", None) or config.hidden_size // max(heads, 1)
    keys = getattr(config, "num_key_value_heads", None) or heads
    attention = 2 * size * (heads + 2 * keys) + 2 * heads * size
    wide = 4 * (getattr(config, "intermediate_size", None) or 4 * config.hidden_size)
    return int(6 * config.hidden_size + (attention + wide) / tensor)


def _saved(model: PreTrainedModel, train: Train, *, plain: int) -> int:
    """Bytes that quantised weights take less than `plain` bytes a number: bitsandbytes' blocks of 64.

    4 bits and a scale of 8 bits a block (Dettmers et al. 2023, QLoRA, double quantisation), or 8 and a scale a row.
    """
    if train.method != "lora" or train.lora.quantize is None:
        return 0
    numbers = sum(model.get_parameter(f"{name}.weight").numel() for name in linear_layers(model))
    small = 1.0 if train.lora.quantize == "int8" else 0.5 + 1 / 64 + 4 / (64 * 256)
    return int(numbers * (plain - small))


def _device(recipe: Recipe) -> str:
    if recipe.device != "auto":
        return recipe.device
    return "cuda" if torch.cuda.is_available() else "cpu"
