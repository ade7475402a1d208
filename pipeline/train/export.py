"""The trained model as a Hugging Face folder in float32: from shards, adapters or a lower precision alike."""

from __future__ import annotations

import copy
import errno
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

import torch
from peft import PeftModel
from safetensors import SafetensorError
from torch.distributed.tensor import DTensor
from transformers import PreTrainedModel

from pipeline.run import MANIFEST
from pipeline.train.lora import merged_weights, save_adapter

if TYPE_CHECKING:
    from pipeline.train.loop import Engine

__all__ = ["export"]


def export(engine: Engine, fresh: Callable[[], PreTrainedModel | PeftModel], tokenizer: Path, folder: Path) -> None:
    """Write `model/`, and `adapter/` if there is one, into a checkpoint's folder; every rank must call this.

    Args:
        engine: of the trained model.
        fresh: makes the model as it was, to put the weights in where the trained one is cut or rounded.
        tokenizer: the run's tokenizer folder; its files are copied.
        folder: of the checkpoint; the first rank writes there.
    """
    whole = {}
    for name, master in engine.weights.masters.items():
        value = _whole(master.detach())  # of a shard, all ranks give theirs; only the first keeps the sum
        if engine.ranks.is_main:
            whole[name] = value
    if not engine.ranks.is_main:
        return
    model = engine.learner.model
    if engine.layout.sharded or next(model.parameters()).dtype != torch.float32:
        model = fresh()
        parameters = dict(model.named_parameters())
        with torch.no_grad():
            for name, value in whole.items():
                parameters[name].copy_(value)
    with _full_disk_as_oserror():
        if isinstance(model, PeftModel):
            save_adapter(model, folder / "adapter")
            plain = cast(PreTrainedModel, model.get_base_model())
            _save(plain, merged_weights(model), tokenizer, folder / "model")
        else:
            _save(model, model.state_dict(), tokenizer, folder / "model")


def _whole(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.full_tensor().cpu() if isinstance(tensor, DTensor) else tensor


def _save(model: PreTrainedModel, weights: Mapping[str, torch.Tensor], tokenizer: Path, folder: Path) -> None:
    if getattr(model.config, "quantization_config", None) is not None:
        # The weights are plain again, so the folder must not say otherwise.
        made = copy.deepcopy(model.config)
        del made.quantization_config
        with torch.device("meta"):
            plain = type(model)(made)
        plain.generation_config = model.generation_config
        model = plain
    model.save_pretrained(str(folder), state_dict=dict(weights))
    for file in sorted(tokenizer.iterdir()):
        if file.is_file() and file.name != MANIFEST:
            shutil.copyfile(file, folder / file.name)


@contextmanager
def _full_disk_as_oserror() -> Iterator[None]:
    """Safetensors has an error of its own for what the system calls ENOSPC."""
    try:
        yield
    except SafetensorError as error:
        if f"os error {errno.ENOSPC}" in str(error):
            raise OSError(errno.ENOSPC, str(error)) from error
        raise
