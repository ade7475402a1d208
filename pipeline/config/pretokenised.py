"""`pack.pretokenised`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from pipeline.config.section import Section

__all__ = ["Pretokenised"]


class Pretokenised(Section):
    """Files of tokens that are packed beside the curated rows, or instead of them: they are not curated."""

    format: Literal["megatron", "nanogpt"]
    """`.bin` and `.idx` by their common prefix, or `.bin` shards with the legacy or the current header."""
    paths: str | list[str] | dict[str, str | list[str]]
    """A path, a glob, a list, weights and paths in turn (`["30", a, "70", b]`), or any of these by split."""
    split: str = "900,50,50"
    """Shares of train, validation and test, by documents in their order; not used where `paths` are given by split."""
    boundary: int | None = Field(None, ge=0)
    """NanoGPT: the token that begins a document; null is the tokenizer's begin-of-sequence or end-of-sequence token."""

    @field_validator("paths")
    @classmethod
    def _known_splits(
        cls, paths: str | list[str] | dict[str, str | list[str]]
    ) -> str | list[str] | dict[str, str | list[str]]:
        if not paths:
            raise ValueError("there is no path")
        if not isinstance(paths, dict):
            return paths
        names = {"train": "train", "validation": "validation", "valid": "validation", "val": "validation"}
        names |= {"dev": "validation", "test": "test"}
        unknown = sorted(set(paths) - set(names))
        if unknown:
            raise ValueError(f"there is no split {unknown[0]!r}; one of " + ", ".join(names))
        if len({names[key] for key in paths}) != len(paths):
            raise ValueError("a split is given twice, under two of its names")
        return {names[key]: value for key, value in paths.items()}
