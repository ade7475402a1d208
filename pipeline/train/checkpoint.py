"""Checkpoints: written whole or not at all, the newest one wins, and resuming is exact to the bit.

    checkpoints/step-00000100/
        model/       a Hugging Face folder: config, safetensors in float32, tokenizer with its chat template
        adapter/     `method: lora` only: the adapter in peft's layout
        optimizer.safetensors
        state.json   where the run stands; a folder without it is no checkpoint

With `method: full`, `model/` holds the weights that training goes on from. With LoRA they are in `adapter/`, and
`model/` (base and adapter merged) is in the last checkpoint only. There is no state of a random generator: whatever
is random in a step is seeded by (seed, step).
"""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

import torch
from peft import PeftModel
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from transformers import PreTrainedModel

from pipeline.atomic import atomic_folder
from pipeline.errors import RunDirectoryError
from pipeline.run import MANIFEST
from pipeline.train.lora import merged_weights, save_adapter

__all__ = ["TrainState", "load_optimizer", "newest", "read_state", "save"]

STATE = "state.json"


@dataclass(kw_only=True)
class TrainState:
    """Where a training run stands."""

    step: int = 0
    """Optimiser steps done."""
    tokens: int = 0
    """Tokens seen, without padding."""
    target_tokens: int = 0
    """Tokens learnt."""
    first_loss: float | None = None
    """Of step 1, before its update."""
    last_loss: float | None = None
    """Of the last step done."""
    stopped_early: bool = False
    """The validation loss fell no more: the run ends here."""


def newest(folder: Path) -> Path | None:
    """The complete checkpoint with the most steps, or None."""
    complete = [path for path in folder.glob("step-*") if (path / STATE).is_file()]
    return max(complete, default=None, key=lambda path: path.name)


def read_state(checkpoint: Path, *, bins: str) -> TrainState:
    """Where the run stood at a checkpoint.

    Raises:
        RunDirectoryError: it was trained on other bins than those with fingerprint `bins`.
    """
    value = json.loads((checkpoint / STATE).read_text(encoding="utf-8"))
    if value.pop("bins") != bins:
        raise RunDirectoryError(
            "the checkpoint was trained on other bins than those in packed/train",
            where=str(checkpoint),
            mend="delete the folder checkpoints to train afresh, or restore the bins",
        )
    del value["parameters"]
    return TrainState(**value)


def load_optimizer(
    checkpoint: Path, optimizer: torch.optim.Optimizer, parameters: Mapping[str, torch.nn.Parameter]
) -> None:
    """Put a checkpoint's optimizer state into `optimizer`, by the names of the parameters."""
    for key, tensor in load_file(checkpoint / "optimizer.safetensors").items():
        name, _, kind = key.rpartition("/")
        parameter = parameters[name]
        # AdamW counts its steps on the host, whatever device the parameter is on.
        optimizer.state[parameter][kind] = tensor if kind == "step" else tensor.to(parameter.device)


def save(
    folder: Path,
    state: TrainState,
    *,
    model: PreTrainedModel | PeftModel,
    optimizer: torch.optim.Optimizer,
    parameters: Mapping[str, torch.nn.Parameter],
    tokenizer: Path,
    bins: str,
    last: bool,
    keep_last: int,
) -> Path:
    """Write `folder/step-<n>` and remove all but the `keep_last` newest checkpoints.

    Args:
        folder: `checkpoints/` of the run.
        state: where the run stands.
        model: plain, or with adapters.
        optimizer: AdamW, of `parameters`.
        parameters: the trained ones by name.
        tokenizer: the run's tokenizer folder; its files are copied.
        bins: fingerprint of the bins.
        last: the run ends here: merge adapters into a whole model.
        keep_last: how many checkpoints stay.

    Raises:
        MachineError: the disk is full.
    """
    target = folder / f"step-{state.step:08d}"
    with atomic_folder(target) as beside, _full_disk_as_oserror():
        if isinstance(model, PeftModel):
            save_adapter(model, beside / "adapter")
            if last:
                _save_model(
                    cast(PreTrainedModel, model.get_base_model()), merged_weights(model), tokenizer, beside / "model"
                )
        else:
            _save_model(model, model.state_dict(), tokenizer, beside / "model")
        moments = {
            f"{name}/{kind}": value.contiguous()
            for name, parameter in parameters.items()
            for kind, value in optimizer.state[parameter].items()
        }
        save_file(moments, beside / "optimizer.safetensors")
        sizes = {
            "trainable": sum(parameter.numel() for parameter in parameters.values()),
            "total": sum(parameter.numel() for parameter in model.parameters()),
        }
        text = json.dumps({**asdict(state), "bins": bins, "parameters": sizes}, indent=1, sort_keys=True)
        (beside / STATE).write_text(text + "\n", encoding="utf-8")
    complete = sorted(path for path in folder.glob("step-*") if (path / STATE).is_file())
    for old in complete[:-keep_last]:
        (old / STATE).unlink()  # first: half a checkpoint must not count as one
        shutil.rmtree(old)
    return target


@contextmanager
def _full_disk_as_oserror() -> Iterator[None]:
    """Safetensors has an error of its own for what the system calls ENOSPC."""
    try:
        yield
    except SafetensorError as error:
        if f"os error {errno.ENOSPC}" in str(error):
            raise OSError(errno.ENOSPC, str(error)) from error
        raise


def _save_model(model: PreTrainedModel, weights: Mapping[str, torch.Tensor], tokenizer: Path, folder: Path) -> None:
    model.save_pretrained(str(folder), state_dict=dict(weights))
    for file in sorted(tokenizer.iterdir()):
        if file.is_file() and file.name != MANIFEST:
            shutil.copyfile(file, folder / file.name)
