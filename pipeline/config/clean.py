"""`curate.clean`."""

from __future__ import annotations

from typing import Literal

from pipeline.config.section import Section

__all__ = ["Clean", "Cleaner"]

Cleaner = Literal[
    "mojibake",
    "controls",
    "unicode",
    "newlines",
    "html",
    "markdown",
    "quotes",
    "licence_header",
    "signature",
    "boilerplate",
    "c4_lines",
    "whitespace",
]
"""In the order in which they run."""


class Clean(Section):
    """The cleaners that run on each kind of row, in an order of their own (`docs/clean.md`); [] runs none."""

    text: list[Cleaner] = ["mojibake", "unicode", "newlines", "whitespace"]
    code: list[Cleaner] = ["controls", "newlines", "licence_header"]
    pair: list[Cleaner] = ["mojibake", "unicode", "newlines"]
    chat: list[Cleaner] = ["mojibake", "unicode", "newlines"]
    retrieval: list[Cleaner] = ["mojibake", "unicode", "newlines"]
