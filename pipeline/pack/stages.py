"""Packing: the stages `tokens` and `packed`, one after the other."""

from __future__ import annotations

from pipeline.config import Recipe
from pipeline.errors import RunDirectoryError
from pipeline.pack.packed_stage import make_bins, plan_packed
from pipeline.pack.tokens_stage import make_tokens, plan_tokens
from pipeline.run import Manifest, RunDirectory, Stage

__all__ = ["pack", "plan", "plan_tokens"]


def plan(run: RunDirectory, recipe: Recipe) -> Stage | None:
    """The `packed` stage, or None while the tokens of this recipe are not there.

    Raises:
        InputError: the tokenizer's folder or the template's file is not there.
    """
    stage = plan_tokens(run, recipe)
    tokens = stage.manifest() if stage else None
    return plan_packed(run, recipe, tokens) if tokens else None


def pack(run: RunDirectory, recipe: Recipe) -> Manifest:
    """Tokenise and pack the curated rows, or reuse what is there; return the manifest of `packed`.

    Raises:
        RunDirectoryError: nothing is curated.
        InputError: no such tokenizer or template, nothing to train on, a row too long under `overflow: raise`.
    """
    stage = plan_tokens(run, recipe)
    if stage is None:
        raise RunDirectoryError(
            "there are no curated rows to pack", where=str(run.root), mend="run `curate-and-train curate RECIPE` first"
        )
    tokens = stage.manifest() or make_tokens(stage, recipe)
    packed = plan_packed(run, recipe, tokens)
    return packed.manifest() or make_bins(packed, recipe, tokens)
