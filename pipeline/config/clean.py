"""`curate.clean`."""

from __future__ import annotations

from typing import Literal

from pipeline.config.section import Section

__all__ = ["Clean"]

Cleaner = Literal["unicode", "newlines", "whitespace"]


class Clean(Section):
    """The cleaners that run on each kind of row, always in the order unicode, newlines, whitespace; [] runs none."""

    text: list[Cleaner] = ["unicode", "newlines", "whitespace"]
    code: list[Cleaner] = ["unicode", "newlines"]
    pair: list[Cleaner] = ["unicode", "newlines"]
    chat: list[Cleaner] = ["unicode", "newlines"]
