"""Texts of rows as they are shown: redacted for every entity, whatever the recipe says, and only then cut."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from pipeline.curate.excerpts import redacted
from pipeline.engines import engine_for

__all__ = ["beginnings", "shortened"]


def beginnings(texts: Sequence[str | None], characters: int) -> list[str | None]:
    """The redacted beginning of each text, and how long it is in all where it is cut; null of one that has none.

    Whole texts are redacted, so that half an address is not left standing; one that cannot be redacted is left out.

    Args:
        texts: as they are in the files of the run.
        characters: of each that are shown.
    """
    column = pa.array([text or "" for text in texts], pa.large_string())
    found = redacted(column, engine_for("cpu")).to_pylist()
    return [shortened(text, characters) if text else None for text in found]


def shortened(text: str, characters: int) -> str:
    """The text, or its beginning and how long it is in all."""
    return text if len(text) <= characters else f"{text[:characters]}… ({len(text):,} characters)"
