"""`evaluate` and `promote`: what is measured, and what it decides."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.config.section import Section

__all__ = ["Evaluate", "Promote"]


class Evaluate(Section):
    """What is measured on the validation and test rows."""

    generate: int = Field(32, ge=0)
    """Test rows to generate answers for."""
    max_new_tokens: int = Field(128, ge=1)
    batch: int = Field(8, ge=1)
    """Bins or prompts at once."""


class Promote(Section):
    """When the candidate takes the champion's place."""

    metric: Literal["loss"] = "loss"
    margin: float = Field(0.0, ge=0)
    """By how much the candidate's test loss must be below the champion's."""
    champion: str | None = None
    """The pointer to the champion; null is `champion-<sources>.json` beside the run directory."""
