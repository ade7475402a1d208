"""Files of tokens: `pack.pretokenised`, or a source whose `format` is theirs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

from pydantic import Field, ValidationError, field_validator

from pipeline.config.section import Section

__all__ = ["TOKEN_FORMATS", "Pretokenised", "as_pretokenised", "gathered"]

TokenFormat = Literal["megatron", "nanogpt"]
TOKEN_FORMATS: tuple[str, ...] = get_args(TokenFormat)

_OF_SOURCE = {"name": "name", "format": "format", "path": "paths", "split": "split", "boundary": "boundary"}
"""Keys of such a source → the keys here."""


class Pretokenised(Section):
    """Files of tokens that are packed beside the curated rows, or instead of them: they are not curated."""

    name: str | None = Field(None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Begins its documents' ids, and is its name in a blend; null is the format."""
    format: TokenFormat
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

    @property
    def label(self) -> str:
        """What its documents' ids begin with."""
        return self.name or self.format

    def key(self, name: str) -> str:
        """Where one of its keys stands, for messages."""
        return f"source {self.name}, {_TO_SOURCE.get(name, name)}" if self.name else f"pack.pretokenised.{name}"


_TO_SOURCE = {here: there for there, here in _OF_SOURCE.items()}


def as_pretokenised(source: Mapping[str, Any]) -> dict[str, Any]:
    """The section that a source of tokens (`{name: web, format: megatron, path: data/web_*}`) stands for.

    Raises:
        ValueError: it has a key that only rows have, or a wrong value.
    """
    format = source["format"]
    strange = sorted(set(source) - set(_OF_SOURCE))
    if strange:
        raise ValueError(
            f"`{strange[0]}` has no effect with `format: {format}`: its files hold tokens, which go straight to bins "
            f"and are not curated; such a source has {', '.join(f'`{key}`' for key in _OF_SOURCE)}"
        )
    if absent := [key for key in ("name", "path") if key not in source]:
        raise ValueError(f"`format: {format}` needs `{absent[0]}`")
    section = {_OF_SOURCE[key]: value for key, value in source.items()}
    try:
        Pretokenised.model_validate(section)
    except ValidationError as error:
        first = error.errors()[0]
        key = str(first["loc"][0]) if first["loc"] else ""
        raise ValueError(f"{_TO_SOURCE.get(key, key)}: {first['msg'].removeprefix('Value error, ')}") from None
    return section


def gathered(recipe: Any) -> Any:
    """A recipe's mapping with its sources of tokens under `pack.pretokenised`; what is wrong stays where it is."""
    if not isinstance(recipe, dict) or not isinstance(recipe.get("sources"), list):
        return recipe
    pack = recipe.get("pack", {})
    if not isinstance(pack, dict):
        return recipe
    rows, tokens = [], []
    for source in recipe["sources"]:
        if isinstance(source, dict) and source.get("format") in TOKEN_FORMATS:
            try:
                tokens.append(as_pretokenised(source))
                continue
            except ValueError:
                pass  # `Source` says what is wrong, with its place in the list
        rows.append(source)
    if not tokens:
        return recipe
    given = pack.get("pretokenised") or []
    return {**recipe, "sources": rows, "pack": {**pack, "pretokenised": [*_listed(given), *tokens]}}


def _listed(given: Any) -> list[Any]:
    return list(given) if isinstance(given, list | tuple) else [given]
