"""`curate.dedup`."""

from __future__ import annotations

from pydantic import Field

from pipeline.config.section import Section

__all__ = ["Dedup", "Fuzzy"]


class Fuzzy(Section):
    """Near duplicates."""

    threshold: float = Field(0.8, gt=0, le=1)
    """Similarity (Jaccard of shingles, estimated from sketches) at which a row is a duplicate of its survivor."""
    shingle: int = Field(8, ge=2, le=64)
    """Bytes of normalised text in a shingle."""
    sketch: int = Field(112, ge=16, le=512, multiple_of=4)
    """Values in a sketch."""
    max_removed: float = Field(0.9, gt=0, le=1)
    """The breaker: the run stops when near duplicates would take a larger share of the rows."""


class Dedup(Section):
    """Duplicates; `exact: false` and `fuzzy: null` switch a step off."""

    exact: bool = True
    fuzzy: Fuzzy | None = Fuzzy()
