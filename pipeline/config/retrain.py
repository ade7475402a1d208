"""`retrain`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.config.section import Section

__all__ = ["Retrain"]


class Retrain(Section):
    """`curate-and-train retrain`: the same recipe again and again, each time on what is new (`docs/retraining.md`)."""

    replay: float = Field(1.0, ge=0, le=1)
    """The share of earlier batches' training rows that is trained on again, chosen by a hash of ids; their
    validation and test rows all stay."""
    start: Literal["base", "champion"] = "base"
    """What is trained: the model of `train.model`, or the champion, with its tokenizer."""
    shards: str | None = None
    """Written by `retrain` into a batch's own recipe: the file that lists the shards it reads."""
    earlier: list[str] = []
    """Written by `retrain` likewise: the runs whose curated rows are taken over, each in its split."""
