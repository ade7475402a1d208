"""The models that are measured: before training, after it, and the champion; one in memory at a time."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from pipeline.config import Recipe
from pipeline.evaluate.champion import Candidate, Champion, champion_model, tokenizer_fingerprint
from pipeline.evaluate.loss import isolated
from pipeline.evaluate.repack import repack
from pipeline.pack.bins import Bins
from pipeline.pack.seal import check_seal
from pipeline.pack.tokenizer import describe_tokenizer
from pipeline.run import RunDirectory
from pipeline.train.learner import Learner
from pipeline.train.model import Tokenizer, load_model, load_tokenizer

__all__ = ["Contender", "Opened", "contenders"]


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A model to measure.

    Args:
        name: `before`, `after` or `champion`.
        weights: the folder of its weights, or None for the model that training began with.
        tokenizer: the folder of its tokenizer.
        same_tokens: whether that tokenizer makes the same tokens as the run's and bins fit into the model's context,
            so that the run's bins are its own.
        seq_length: tokens in a bin of this model: the recipe's, or the model's context where that is shorter.
    """

    name: str
    weights: Path | None
    tokenizer: Path
    same_tokens: bool
    seq_length: int


def contenders(
    run: RunDirectory, recipe: Recipe, candidate: Candidate, champion: Champion | None, pointer: Path
) -> list[Contender]:
    """The models to measure, in the order of the columns.

    Raises:
        InputError: the champion's model is gone or is not what was promoted.
    """
    own, length = run.path("tokenizer"), recipe.pack.seq_length
    after = Contender(
        name="after", weights=candidate.folder, tokenizer=candidate.folder, same_tokens=True, seq_length=length
    )
    before = Contender(name="before", weights=None, tokenizer=own, same_tokens=True, seq_length=length)
    if champion is None:
        return [before, after]
    # Looked at first: a champion that is gone must not be found out after an hour of measuring.
    rival = champion_model(champion, pointer)
    shorter = min(length, _context_of(rival, length))
    same = champion.tokenizer == candidate.tokenizer and shorter == length
    return [
        before,
        after,
        Contender(name="champion", weights=rival, tokenizer=rival, same_tokens=same, seq_length=shorter),
    ]


class Opened:
    """A contender, its model loaded when it is first asked for something: a resumed run may need nothing of it.

    Raises:
        InputError: the model or its tokenizer cannot be loaded.
        RunDirectoryError: its chat template is not the one that the bins were made with.
    """

    def __init__(
        self, contender: Contender, run: RunDirectory, recipe: Recipe, scratch: Path, device: torch.device
    ) -> None:
        self.contender, self.device = contender, device
        self._run, self._scratch = run, scratch
        pack = recipe.pack.model_copy(update={"seq_length": contender.seq_length})
        self._recipe = recipe.model_copy(update={"pack": pack})

    @classmethod
    @contextmanager
    def of(cls, contender: Contender, run: RunDirectory, recipe: Recipe, device: torch.device) -> Iterator[Opened]:
        """Open a contender; what it keeps on disk is removed at the end."""
        with tempfile.TemporaryDirectory(prefix="curate-and-train-") as scratch:
            yield cls(contender, run, recipe, Path(scratch), device)

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """Its tokenizer, which must be the bins' own where they are measured as they are."""
        tokenizer = load_tokenizer(self.contender.tokenizer)
        if self.contender.same_tokens:
            check_seal(tokenizer, self._run, self.contender.tokenizer)
        return tokenizer

    @cached_property
    def model(self) -> PreTrainedModel:
        """The model in evaluation mode, on the device."""
        recipe = self._recipe
        model = load_model(
            recipe.training.model,
            self.tokenizer,
            seed=recipe.seed,
            seq_length=recipe.pack.seq_length,
            weights=self.contender.weights,
        )
        torch.nn.Module.to(model, self.device).train(False)
        return model

    @cached_property
    def learner(self) -> Learner:
        """The model, for losses."""
        return isolated(self.model, self.tokenizer, self.device, length=self.contender.seq_length)

    @cached_property
    def facts(self) -> dict[str, Any]:
        """Of the tokenizer: `stop_ids`, `pad_id`."""
        return describe_tokenizer(self.tokenizer)

    @property
    def context(self) -> int:
        """Tokens that the model can read."""
        return getattr(self.model.config, "max_position_embeddings", None) or self._recipe.pack.seq_length

    def bins(self, split: str) -> Bins:
        """The rows of a split in this contender's tokens."""
        bins = Bins.open(self._run.path(f"packed/{split}"))
        if self.contender.same_tokens:
            return bins
        return repack(
            bins,
            self._run.path(f"curated/{split}"),
            self._recipe,
            split=split,
            tokenizer=self.contender.tokenizer,
            content=tokenizer_fingerprint(self.contender.tokenizer),
            scratch=self._scratch / split,
        )


def _context_of(folder: Path, otherwise: int) -> int:
    """Tokens that the model in `folder` sees at once, or `otherwise` where its configuration sets no limit."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return int(config.get("max_position_embeddings") or otherwise)
