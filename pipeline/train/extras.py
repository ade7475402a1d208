"""Packages that a recipe may ask for and that are not installed with the project; told without torch."""

from __future__ import annotations

from importlib.util import find_spec

from pipeline import config
from pipeline.errors import RecipeError

__all__ = ["check_extras"]

_TRACKERS = ("tensorboard", "wandb", "mlflow")


def check_extras(
    *, lora: config.Lora | None = None, track: config.Track | None = None, optimizer: str = "adamw"
) -> None:
    """Look for the packages of what is asked for.

    Args:
        lora: the section, where adapters are trained.
        track: the section.
        optimizer: the key.

    Raises:
        RecipeError: one is not installed.
    """
    for name in _TRACKERS:
        if track is not None and getattr(track, name) and find_spec(name) is None:
            raise RecipeError(
                f"{name} is not installed",
                where=f"train.track.{name}",
                mend=f"`pip install {name}`, or remove the key: logs/train.jsonl is always written",
            )
    if lora is not None and lora.quantize is not None and find_spec("bitsandbytes") is None:
        raise RecipeError(
            "bitsandbytes is not installed",
            where=f"train.lora.quantize: {lora.quantize}",
            mend="`pip install bitsandbytes` (the extra `qlora`), or remove the key",
        )
    if optimizer == "adamw8bit" and find_spec("torchao") is None:
        raise RecipeError(
            "torchao is not installed, which an optimiser with moments of 8 bits takes",
            where="train.optimizer: adamw8bit",
            mend="`pip install torchao`, of a version for this torch, or set train.optimizer: adamw",
        )
