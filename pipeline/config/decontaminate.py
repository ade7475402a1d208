"""`curate.decontaminate`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from pipeline.config.section import Section
from pipeline.config.sources import Source

__all__ = ["Decontaminate", "HeldOut"]


class HeldOut(Section):
    """The run's own test split, which is always held against its training and validation rows."""

    action: Literal["report", "drop"] = "report"
    """`report` counts the rows that hold test rows; `drop` takes them out of training and validation too."""
    share: float = Field(0.5, gt=0, le=1)
    """The share of a test row's n-grams, in its prompt or in its answer, that a row must hold."""
    common: int = Field(10, ge=1)
    """An n-gram that more of the kept rows hold says nothing."""


class Decontaminate(Section):
    """Rows that hold what a model is evaluated on; `docs/decontamination.md` says how they are found."""

    files: list[Source] = []
    """Evaluation sets: given and read like `sources`."""
    ngram: int = Field(13, ge=2, le=64)
    """Words that must follow each other."""
    shortest: int = Field(8, ge=1)
    """A prompt or answer with fewer words than `ngram` is looked for as a whole, down to this many words."""
    common: int = Field(10, ge=1)
    """An n-gram that more rows of the evaluation sets hold says nothing: instructions, templates."""
    share: float = Field(0.0, ge=0, le=1)
    """The share of an evaluation prompt's or answer's n-grams that a row must hold; with 0 one n-gram is enough."""
    action: Literal["drop", "cut"] = "drop"
    """`drop` takes the row out; `cut` takes the words out of it."""
    margin: int = Field(0, ge=0)
    """Words that `cut` takes out on either side of those that were found."""
    keep: float = Field(0.5, ge=0, le=1)
    """Of a row of which `cut` leaves a smaller share, nothing is kept."""
    test_split: HeldOut = HeldOut()

    @model_validator(mode="after")
    def _names(self) -> Decontaminate:
        names = [file.name for file in self.files]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two evaluation sets are called {', '.join(twice)}; a name begins the rows' ids")
        return self

    @model_validator(mode="after")
    def _lengths(self) -> Decontaminate:
        if self.shortest > self.ngram:
            raise ValueError(f"shortest {self.shortest} is above ngram {self.ngram}")
        return self
