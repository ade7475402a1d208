"""`blend`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pipeline.config.section import Section

__all__ = ["Blend"]


class Blend(Section):
    """In what proportion the sources' rows are trained on; validation and test rows stay as they are."""

    weights: dict[str, Annotated[int, Field(ge=0)]]
    """Source → how many rows of it for so many of the others, exactly; 0 leaves a source out. Files
    of `pack.pretokenised` without a name are called as their format, `megatron` or `nanogpt`."""
    exhausted: Literal["stop", "repeat"] = "stop"
    """`stop` takes as many rows as the scarcest source allows; `repeat` takes all and repeats those of scarcer ones."""
