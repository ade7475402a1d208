"""Where the model comes from, told without torch: for the plan, and for the launcher."""

from __future__ import annotations

import re
from pathlib import Path

from pipeline import config, fingerprint
from pipeline.errors import InputError, did_you_mean

__all__ = ["model_fingerprint", "model_folder"]

_PICKLED = ("*.bin", "*.pt", "*.pth")

_HUB_NAME = re.compile(r"(?![.~/])[\w.-]+(/[\w.-]+)?")


def model_folder(path: str) -> Path | None:
    """The local folder of a model, or None where `path` can only be a name on the hub.

    Raises:
        InputError: it is neither.
    """
    folder = Path(path).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise InputError(
                "the folder holds no model: it has no config.json",
                where=f"train.model.path: {path}",
                mend="give a folder with config.json and model.safetensors",
            )
        if not any(folder.glob("*.safetensors")):
            pickled = sorted(path.name for pattern in _PICKLED for path in folder.glob(pattern))
            raise InputError(
                "the folder holds no *.safetensors"
                + (f", and pickled weights ({pickled[0]}) are not read: they can run any code" if pickled else ""),
                where=f"train.model.path: {path}",
                mend="save the model as safetensors (transformers: `model.save_pretrained`), or give another folder",
            )
        return folder
    if folder.exists() or not _HUB_NAME.fullmatch(path):
        siblings = [other.name for other in folder.parent.iterdir()] if folder.parent.is_dir() else []
        raise InputError(
            f"no model folder at this path{did_you_mean(folder.name, siblings)}",
            where=f"train.model.path: {path}",
            mend="give a folder with config.json and model.safetensors (relative to the working directory), "
            "or the name of a model on the hub",
        )
    return None


def model_fingerprint(model: config.Model) -> str | None:
    """Of the files of a model in a local folder (about 1 GB/s); None for one from the hub or from a configuration.

    Where its own code is trusted, that is part of it.

    A model on the hub is known by its name alone: no network is asked whether it changed there.
    """
    folder = model_folder(model.path) if model.path is not None else None
    if folder is None:
        return None
    kinds = {".json", ".safetensors", ".py"} if model.trust_remote_code else {".json", ".safetensors"}
    files = sorted(path for path in folder.iterdir() if path.suffix in kinds)
    return fingerprint.of_value([[path.name, fingerprint.of_file(path)] for path in files])
