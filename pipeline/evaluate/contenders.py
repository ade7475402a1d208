"""The models that are measured: before training, after it, and the champion; one in memory at a time."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import PreTrainedModel

from pipeline.config import Recipe
from pipeline.evaluate.champion import Candidate, Champion, champion_model, tokenizer_fingerprint
from pipeline.evaluate.generate import Answers, generate_answers
from pipeline.evaluate.loss import SplitLoss, split_loss
from pipeline.evaluate.prompts import Prompt
from pipeline.evaluate.repack import repack
from pipeline.pack.bins import Bins
from pipeline.pack.seal import check_seal
from pipeline.pack.tokenizer import describe_tokenizer
from pipeline.run import RunDirectory
from pipeline.train.model import Tokenizer, load_model, load_tokenizer

__all__ = ["MEASURED", "Contender", "Measurement", "contenders", "measure"]

MEASURED = ("validation", "test")
"""The splits that no model was trained on."""


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


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """What was measured of a contender."""

    losses: Mapping[str, SplitLoss]
    answers: Answers


def contenders(
    run: RunDirectory, recipe: Recipe, candidate: Candidate, champion: Champion | None, pointer: Path
) -> Iterator[Contender]:
    """The models to measure, in the order of the columns.

    Raises:
        InputError: the champion's model is gone or is not what was promoted.
    """
    own, length = run.path("tokenizer"), recipe.pack.seq_length
    # Looked at first: a champion that is gone must not be found out after an hour of measuring.
    rival = champion_model(champion, pointer) if champion else None
    yield Contender(name="before", weights=None, tokenizer=own, same_tokens=True, seq_length=length)
    yield Contender(
        name="after", weights=candidate.folder, tokenizer=candidate.folder, same_tokens=True, seq_length=length
    )
    if champion and rival:
        shorter = min(length, _context_of(rival, length))
        same = champion.tokenizer == candidate.tokenizer and shorter == length
        yield Contender(name="champion", weights=rival, tokenizer=rival, same_tokens=same, seq_length=shorter)


def measure(
    contender: Contender,
    run: RunDirectory,
    recipe: Recipe,
    prompts: Sequence[Prompt],
    *,
    device: torch.device,
    on_done: Callable[[int], None],
) -> Measurement:
    """Load a contender, measure its loss on both splits, and let it answer the prompts.

    Args:
        contender: the model.
        run: whose rows it is measured on.
        recipe: of the run.
        prompts: test rows to answer.
        device: to compute on.
        on_done: called with the number of bins or prompts done.

    Raises:
        InputError: the model or its tokenizer cannot be loaded.
        RunDirectoryError: its chat template is not the one that the bins were made with.
        StageError: a loss is not finite.
    """
    recipe = recipe.model_copy(update={"pack": recipe.pack.model_copy(update={"seq_length": contender.seq_length})})
    tokenizer = load_tokenizer(contender.tokenizer)
    if contender.same_tokens:
        check_seal(tokenizer, run, contender.tokenizer)
    model = load_model(
        recipe.training.model, tokenizer, seed=recipe.seed, seq_length=recipe.pack.seq_length, weights=contender.weights
    )
    torch.nn.Module.to(model, device).train(False)
    facts = describe_tokenizer(tokenizer)
    losses = {split: _loss(contender, split, run, recipe, model, tokenizer, device, on_done) for split in MEASURED}
    answers = generate_answers(
        model,
        tokenizer,
        prompts,
        stop_ids=facts["stop_ids"],
        pad_id=facts["pad_id"],
        context=getattr(model.config, "max_position_embeddings", None) or recipe.pack.seq_length,
        max_new_tokens=recipe.evaluate.max_new_tokens,
        batch=recipe.evaluate.batch,
        device=device,
        on_answers=on_done,
    )
    return Measurement(losses=losses, answers=answers)


def _context_of(folder: Path, otherwise: int) -> int:
    """Tokens that the model in `folder` sees at once, or `otherwise` where its configuration sets no limit."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    window = config.get("sliding_window") if config.get("use_sliding_window", True) else None
    return int(min(config.get("max_position_embeddings") or otherwise, window or otherwise))


def _loss(
    contender: Contender,
    split: str,
    run: RunDirectory,
    recipe: Recipe,
    model: PreTrainedModel,
    tokenizer: Tokenizer,
    device: torch.device,
    on_done: Callable[[int], None],
) -> SplitLoss:
    with ExitStack() as stack:
        bins = Bins.open(run.path(f"packed/{split}"))
        if not contender.same_tokens:
            scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="curate-and-train-")))
            bins = repack(
                bins,
                run.path(f"curated/{split}"),
                recipe,
                split=split,
                tokenizer=contender.tokenizer,
                content=tokenizer_fingerprint(contender.tokenizer),
                scratch=scratch,
            )
        return split_loss(
            model,
            tokenizer,
            bins,
            batch=recipe.evaluate.batch,
            length=recipe.pack.seq_length,
            device=device,
            on_bins=on_done,
        )
