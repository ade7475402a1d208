"""What a training will be, before a weight is made or read: its model, steps and memory, and what is wrong with it.

The model is made on the meta device, which has shapes and no numbers: seconds for any size.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from huggingface_hub import try_to_load_from_cache
from transformers import AutoConfig, PreTrainedConfig
from transformers.utils import logging as transformers_logging

from pipeline.config import Recipe
from pipeline.errors import InputError
from pipeline.host_memory import total_memory
from pipeline.pack.bins import Bins
from pipeline.pack.costs import attention_cost
from pipeline.pack.epochs import EpochBins
from pipeline.run import Manifest, RunDirectory
from pipeline.train.cautions import cautions
from pipeline.train.lora import adapted_layers, adapter_numbers, check_tokens, unadapted
from pipeline.train.memory import GIB, MemoryEstimate, advice, estimate
from pipeline.train.mesh import reads_together
from pipeline.train.model import bare_model, check_causal, check_positions, load_tokenizer, random_config
from pipeline.train.order import Order
from pipeline.train.origin import model_folder
from pipeline.train.served import check_served
from pipeline.train.shard import tensor_plan
from pipeline.train.text import freeze_unread

__all__ = ["TrainingOutlook", "outlook"]

_COUNTED = 200_000
"""Bins of the last, partial epoch whose targets are counted one by one; of more, they are estimated."""


@dataclass(frozen=True, kw_only=True)
class TrainingOutlook:
    """What is known of a training before it starts."""

    model: str
    adapters: list[str]
    """Layers that take an adapter, those of like names in one line; empty where all weights are trained."""
    trainable: int | None
    """Numbers that are trained; None while the model is not on this machine."""
    warnings: list[str]
    """What is served, and is most likely not meant."""
    data: str
    memory: list[str]
    advice: list[str]
    """What to change where the memory does not suffice, most effective first."""

    def rows(self) -> list[tuple[str, str]]:
        """A name and a text each, for a table."""
        rows = [("model", self.model), *(("adapter", line) for line in self.adapters)]
        if self.trainable is not None:
            rows.append(("trainable", f"{self.trainable:,} parameters"))
        rows += [("data", self.data), *(("memory", line) for line in self.memory)]
        rows += [("change", line) for line in self.advice]
        return rows + [("warning", line) for line in self.warnings]


def outlook(recipe: Recipe, run: RunDirectory | None = None) -> TrainingOutlook:
    """Make the recipe's model without weights, and say what its training takes.

    Args:
        recipe: with a section `train`.
        run: where its rows may be packed already.

    Raises:
        RecipeError: the model's configuration, a pattern of adapters or the parallelism is wrong.
        InputError: the model does not go with the bins.
        MachineError: float8 cannot be had.
    """
    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    train = recipe.training
    data, warnings = _data(recipe, run), cautions(train)
    if recipe.device != "cpu" and 0 < (gpus := torch.cuda.device_count()) < train.launch.nproc:
        shown = f"{gpus} GPU{'s' * (gpus > 1)}"
        warnings.append(f"train.launch.nproc is {train.launch.nproc}, and this machine shows {shown}")
    vocab_size = _tokens(recipe, run)
    made = _config(recipe, vocab_size)
    if made is None:
        unknown = f"{train.model.path}: not on this machine, so nothing is known of it before it is loaded"
        return TrainingOutlook(
            model=unknown, adapters=[], trainable=None, warnings=warnings, data=data, memory=[], advice=[]
        )
    check_positions(made, recipe.pack.seq_length)
    if train.parallel.tensor > 1:
        tensor_plan(made, train.parallel.tensor)
    model = bare_model(made, trust=train.model.trust_remote_code)
    check_causal(model)
    check_served(recipe, model, device=_device(recipe))
    if train.method == "lora" and vocab_size is not None and recipe.pack.tokenizer is not None:
        check_tokens(vocab_size, made.get_text_config(decoder=True).vocab_size)
    layers = adapted_layers(model, train.lora) if train.method == "lora" else []
    if layers and (note := unadapted(model)):
        warnings.append(note)
    whole = sum(parameter.numel() for parameter in model.parameters())
    freeze_unread(model)
    trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    if layers:
        trained = adapter_numbers(model, train.lora)
    found = estimate(recipe, made, vocab_size=vocab_size)
    loading, fewer = _loading(found, recipe)
    room, device = _room(recipe)
    verdict = "no GPU is here to compare it with"
    if room is not None:
        verdict = f"{'fits' if found.total <= room else 'does not fit'} {room / GIB:.1f} GiB of {device}"
    return TrainingOutlook(
        model=f"{made.model_type}, {whole:,} parameters",
        adapters=_grouped(layers),
        trainable=trained,
        warnings=warnings,
        data=data,
        memory=[" ".join(line.split()) for line in found.lines()] + [verdict, loading],
        advice=(advice(found, recipe, room=room) if room is not None else []) + fewer,
    )


def _config(recipe: Recipe, vocab_size: int | None) -> PreTrainedConfig | None:
    """Of the recipe's model; None where it is on the hub and not in this machine's cache."""
    model = recipe.training.model
    if model.config is not None:
        keys = dict(model.config)
        if vocab_size is None:  # the tokenizer is on the hub; 32 000 is as good a guess as any
            vocab_size = int(keys.setdefault("vocab_size", 32_000))
        return random_config(keys, vocab_size=vocab_size, special={"pad_token_id": None})
    assert model.path is not None  # one of both
    folder = model_folder(model.path)
    if folder is None and try_to_load_from_cache(model.path, "config.json") is None:
        return None
    try:
        found: PreTrainedConfig = AutoConfig.from_pretrained(
            str(folder or model.path), local_files_only=True, trust_remote_code=model.trust_remote_code
        )
        return found
    except (OSError, ValueError, ImportError) as error:
        raise InputError(
            f"the model's configuration cannot be read: {(str(error).strip() or type(error).__name__).splitlines()[0]}",
            where=f"train.model.path: {model.path}",
            mend="give a folder with config.json and model.safetensors, or the name of a model on the hub; code that "
            "you have read runs with train.model.trust_remote_code: true",
        ) from None


def _tokens(recipe: Recipe, run: RunDirectory | None) -> int | None:
    """How many tokens the tokenizer has: the run's, or the recipe's; None where that is not on this machine."""
    made = run.path("tokenizer") if run is not None else None
    if made is None or Manifest.read(made) is None:
        if recipe.pack.tokenizer is None:
            return recipe.pack.vocab_size  # that it will have at most
        made = Path(recipe.pack.tokenizer).expanduser()
    try:
        return len(load_tokenizer(made))
    except InputError:
        return None


def _grouped(layers: list[str]) -> list[str]:
    """`model.layers.[0-3].mlp.up_proj: 4 layers` for layers whose names differ in one number alone."""
    groups: dict[str, list[int]] = {}
    for name in layers:
        numbers = re.findall(r"(?<=\.)\d+(?=\.)", name)
        if len(numbers) == 1:
            groups.setdefault(re.sub(r"(?<=\.)\d+(?=\.)", "[]", name), []).append(int(numbers[0]))
        else:
            groups[name] = []
    return [
        f"{name.replace('[]', f'[{_ranges(sorted(numbers))}]')}: {len(numbers)} layer{'s' * (len(numbers) > 1)}"
        if numbers
        else name
        for name, numbers in groups.items()
    ]


def _ranges(numbers: list[int]) -> str:
    """`0-3,7` for 0, 1, 2, 3, 7."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in parts)


def _data(recipe: Recipe, run: RunDirectory | None) -> str:
    train = recipe.training
    slots = train.steps * train.global_batch * recipe.pack.seq_length
    about = f"{train.steps:,} steps of {train.global_batch} bins, {slots:,} slots"
    packed = Manifest.read(run.path("packed")) if run is not None else None
    if run is None or packed is None:
        return f"{about}; epochs and target tokens are known once the rows are packed"
    bins = Bins.open(run.path("packed/train"))
    if len(bins) == 0:
        return f"{about}; packed/train has no bins"
    taken = train.steps * train.global_batch
    epochs, rest = divmod(taken, len(bins))
    targets = epochs * int(packed.summary["splits"]["train"]["targets"])
    exact = rest <= _COUNTED
    if exact:
        targets += _targets(recipe, bins, first=epochs * len(bins), last=taken)
    else:
        targets += int(packed.summary["splits"]["train"]["targets"]) * rest // len(bins)
    said = "" if exact else "about "
    return f"{about}; {taken / len(bins):.2f} epochs of {len(bins):,} bins, {said}{targets:,} target tokens"


def _targets(recipe: Recipe, bins: Bins, *, first: int, last: int) -> int:
    """Target tokens of some entries of the order, which begin an epoch."""
    train = recipe.training
    begins, lengths = bins.places()
    costs = attention_cost(lengths, begins) if train.balance else np.zeros(len(bins), np.int64)
    order = Order(costs, seed=recipe.seed, global_batch=train.global_batch)
    found = EpochBins(bins, seed=recipe.seed)
    total = 0
    for step in range(first // train.global_batch, -(-last // train.global_batch)):
        for at, (epoch, number) in enumerate(order.step(step), start=step * train.global_batch):
            if first <= at < last:
                total += int(found.get(number, epoch if train.reshuffle else 0).loss.sum())
    return total


def _device(recipe: Recipe) -> torch.device:
    """What ranks compute on: a GPU also where there is none here, if the recipe says so; it may be run elsewhere."""
    if recipe.device != "auto":
        return torch.device(recipe.device)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _loading(found: MemoryEstimate, recipe: Recipe) -> tuple[str, list[str]]:
    """What a machine's ranks take of its memory while they read the model, and what to change where it has less."""
    train = recipe.training
    together = reads_together(train.parallel, _device(recipe))
    ranks = train.launch.nproc if together else 1
    needed = ranks * found.loading
    said = f"loading {needed / GIB:.2f} GiB of a machine's memory: each rank reads the whole model in float32"
    if not together and train.launch.nproc > 1:
        said += ", after one another where it is short"
    if recipe.device == "cuda" and not torch.cuda.is_available():
        return said, []
    room = total_memory()
    fit = room // max(found.loading, 1)
    said += f"; {'fits' if needed <= room else 'does not fit'} {room / GIB:.1f} GiB of this machine"
    fewer = [f"train.launch.nproc: {fit}, over more machines (train.launch.nodes)"] if 0 < fit < ranks else []
    if fewer and train.parallel.tensor > 1:
        fewer.append("train.parallel.shard in the place of tensor: ranks then read the model after one another")
    return said, fewer if fit else ["a machine with more memory: one rank cannot read the model"]


def _room(recipe: Recipe) -> tuple[int | None, str]:
    """Bytes that a rank has, and of what; None for a GPU where there is none."""
    if _device(recipe).type == "cuda":
        if not torch.cuda.is_available():
            return None, "GPU"
        return int(torch.cuda.get_device_properties(0).total_memory), torch.cuda.get_device_name(0)
    ranks = recipe.training.launch.nproc
    share = "" if ranks == 1 else f", shared by {ranks} ranks"
    return total_memory() // ranks, f"this machine{share}"
