"""Bins belong to a tokenizer and a chat template; whoever goes on from them looks that both are still the same."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import fingerprint
from pipeline.errors import RunDirectoryError
from pipeline.run import Manifest, RunDirectory

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

__all__ = ["check_seal", "tokenizer_hashes"]


def tokenizer_hashes(tokenizer: PreTrainedTokenizerBase) -> dict[str, str]:
    """Fingerprints of the tokenizer's core and of its chat template, as the manifests hold them."""
    return {
        "tokenizer": fingerprint.of_bytes(tokenizer.backend_tokenizer.to_str().encode()),
        "template": fingerprint.of_bytes(str(tokenizer.chat_template).encode()),
    }


def check_seal(tokenizer: PreTrainedTokenizerBase, run: RunDirectory, folder: Path) -> None:
    """Hold a tokenizer against the one that the run's bins were made with.

    Args:
        tokenizer: read from `folder`.
        run: with finished bins.
        folder: named in the message.

    Raises:
        RunDirectoryError: its tokens or its chat template are others.
    """
    packed = Manifest.read(run.path("packed"))
    if packed is None:
        raise RunDirectoryError(
            "there are no finished bins", where=str(run.root), mend="run `curate-and-train pack RECIPE` first"
        )
    found = tokenizer_hashes(tokenizer)
    changed = [name for name in ("tokenizer", "template") if found[name] != packed.summary[name]]
    if changed:
        words = {"tokenizer": "tokens", "template": "chat template"}
        raise RunDirectoryError(
            f"the {' and '.join(words[name] for name in changed)} in this folder changed since the bins were made: "
            "training, evaluation and a server would see other prompts than those in the bins",
            where=str(folder),
            mend="name the template in `pack.template` and pack again; or delete the run's `tokenizer` folder and run "
            "the same command, which makes it as it was",
        )
