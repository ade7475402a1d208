"""The tables of keys in `docs/recipe.md`, made from the models; `python -m tests.recipe_keys` writes them there."""

from __future__ import annotations

import json
import types
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from pipeline.config import Recipe

__all__ = ["KEYS_END", "KEYS_START", "key_tables"]

KEYS_START = "<!-- keys: written by `python -m tests.recipe_keys` -->"
KEYS_END = "<!-- end of keys -->"
_PAGE = Path(__file__).resolve().parents[1] / "docs" / "recipe.md"


def key_tables() -> str:
    """A section a model, in the order of the recipe; a line a key: type and bounds, default, meaning."""
    return "\n\n".join(_section(path, model) for path, model in _models("", Recipe))


def _models(path: str, model: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel]]]:
    yield path, model
    for name, field in model.model_fields.items():
        for inner in _inner_models(field.annotation):
            below = f"{path}.{name}".lstrip(".")
            if inner.__name__ != "Bound":  # a bound is a value: {signal, min, max, in}
                yield from _models(f"{below}[]" if get_origin(field.annotation) is list else below, inner)


def _inner_models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _inner_models(inner)


def _section(path: str, model: type[BaseModel]) -> str:
    title = f"### `{path}`" if path else "### Top level"
    lines = [title, "", " ".join((model.__doc__ or "").split()), "", "| key | type | default | |", "|---|---|---|---|"]
    for name, field in model.model_fields.items():
        meaning = " ".join((field.description or "").split()).replace("|", "\\|")
        lines.append(f"| `{name}` | {_type(field)} | {_default(field)} | {meaning} |")
    return "\n".join(lines)


def _type(field: FieldInfo) -> str:
    return ", ".join([_name(field.annotation), *_bounds(field.metadata)])


def _bounds(metadata: Iterable[Any]) -> list[str]:
    bounds = []
    for limit in _limits(metadata):
        for attribute, sign in (("ge", "≥"), ("gt", ">"), ("le", "≤"), ("lt", "<"), ("multiple_of", "multiple of")):
            if (value := getattr(limit, attribute, None)) is not None:
                bounds.append(f"{sign} {value}")
        if pattern := getattr(limit, "pattern", None):
            bounds.append(f"`{pattern}`")
    return bounds


def _limits(metadata: Iterable[Any]) -> Iterator[Any]:
    for limit in metadata:  # inside a union pydantic leaves them in a FieldInfo of their own
        yield from limit.metadata if isinstance(limit, FieldInfo) else [limit]


def _name(annotation: Any) -> str:
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " \\| ".join(f"`{value}`" for value in inner)
    if origin in (Union, types.UnionType):
        return " \\| ".join(_name(one) for one in inner)
    if origin is Annotated:
        return ", ".join([_name(inner[0]), *_bounds(inner[1:])])
    if origin is list:
        return f"list of {_name(inner[0])}"
    if origin is dict:
        return f"mapping to {_name(inner[1])}"
    if annotation is type(None):
        return "null"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "`{signal, min, max, in}`" if annotation.__name__ == "Bound" else "section"
    return {str: "text", int: "integer", float: "number", bool: "true or false"}.get(annotation, "anything")


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "required"
    if isinstance(field.default, BaseModel):
        return "as below"
    return f"`{json.dumps(field.default, ensure_ascii=False)}`"


if __name__ == "__main__":
    before, _, rest = _PAGE.read_text(encoding="utf-8").partition(KEYS_START)
    after = rest.partition(KEYS_END)[2]
    _PAGE.write_text(f"{before}{KEYS_START}\n\n{key_tables()}\n\n{KEYS_END}{after}", encoding="utf-8")
