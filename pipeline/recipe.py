"""Read a recipe: YAML, dotted overrides, and every problem in one message."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from pipeline.config import Recipe
from pipeline.errors import RecipeError, did_you_mean
from pipeline.signals import SIGNALS

__all__ = ["dump_recipe", "load_recipe"]


def load_recipe(path: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read the recipe at `path` and apply overrides such as `train.steps=50`.

    A source may be a mapping or the path of a YAML file that holds one; paths are relative to the
    working directory.

    Raises:
        RecipeError: unreadable, unknown keys, wrong types: all of them in one message.
    """
    path = Path(path)
    document = _read_yaml(path, "recipe")
    problems: list[str] = []
    _read_sources(document)  # so that an override reaches a key of a source that is a file
    for override in overrides:
        _override(document, override, problems)
    _read_sources(document)
    recipe = None
    try:
        recipe = Recipe.model_validate(document)
    except ValidationError as error:
        problems += [_describe(document, dict(problem)) for problem in error.errors()]
    if recipe is None or problems:
        count = f"{len(problems)} problems" if len(problems) > 1 else "a problem"
        raise RecipeError(
            f"the recipe has {count}:\n" + "\n".join(f"  - {problem}" for problem in problems),
            where=str(path),
            mend="correct the keys named above; docs/recipe.md lists every key",
        )
    return recipe


def dump_recipe(recipe: Recipe) -> str:
    """The resolved recipe as YAML, every default written out."""
    return yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


class _Loader(yaml.SafeLoader):
    """Safe YAML in which a key stands once, and `1e-3` is a number as in YAML 1.2."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {key.value!r} stands twice", key.start_mark
                    )
                seen.add(key.value)
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+$"), list("-+0123456789.")
)


def _read_yaml(path: Path, what: str) -> dict[str, Any]:
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except FileNotFoundError:
        near = did_you_mean(path.name, (other.name for other in path.parent.glob("*.y*ml")))
        raise RecipeError(
            f"no {what} at this path{near}", where=str(path), mend="paths are relative to the working directory"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"the {what} cannot be read: {error}", where=str(path), mend="give a YAML file") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise RecipeError(
            f"the {what} is not YAML: {getattr(error, 'problem', None) or error}",
            where=f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path),
            mend="correct the syntax there, or before it",
        ) from None
    if not isinstance(document, dict):
        raise RecipeError(f"the {what} is not a mapping of keys", where=str(path), mend="see data/demo.yaml")
    return document


def _read_sources(document: dict[str, Any]) -> None:
    """Put the sources and evaluation sets that are given as paths of files in their place."""
    curate = document.get("curate")
    section = curate.get("decontaminate") if isinstance(curate, dict) else None
    for holder, key in ((document, "sources"), (section, "files")):
        if isinstance(holder, dict) and isinstance(holder.get(key), list):
            holder[key] = [
                _read_yaml(Path(source), "source") if isinstance(source, str) else source for source in holder[key]
            ]


def _override(document: dict[str, Any], override: str, problems: list[str]) -> None:
    """Set one dotted key in place; a step that is a number indexes a list."""
    key, equals, text = override.partition("=")
    steps = key.strip().split(".")
    if not equals or not all(steps):
        problems.append(f"override {override!r}: write it as key.path=value")
        return
    try:
        value = yaml.load(text, _Loader)
    except yaml.YAMLError:
        problems.append(f"override {override!r}: the value is not YAML; put text into quotation marks of its own")
        return
    at: Any = document
    for depth, step in enumerate(steps):
        last = depth == len(steps) - 1
        if isinstance(at, list):
            if not step.isdigit() or int(step) >= len(at):
                problems.append(f"override {override!r}: {'.'.join(steps[:depth])} has {len(at)} entries, from 0")
                return
            if last:
                at[int(step)] = value
            else:
                at = at[int(step)]
        elif isinstance(at, dict):
            if last:
                at[step] = value
            else:
                if at.get(step) is None:
                    at[step] = {}
                at = at[step]
        else:
            problems.append(f"override {override!r}: {'.'.join(steps[:depth])} is a value, not a section")
            return


def _describe(document: Any, problem: dict[str, Any]) -> str:
    location = [step for step in problem["loc"] if not _is_union_tag(step)]
    where = ".".join(str(step) for step in location) or "recipe"
    if problem["type"] == "extra_forbidden":
        known = _known_keys(location[:-1])
        near = did_you_mean(str(location[-1]), known)
        return f"{where}: unknown key" + (near or f" (known: {', '.join(sorted(known))})")
    if problem["type"] == "missing":
        return f"{where}: missing"
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "value_error":
        return f"{where}: {message}"
    if problem["type"] in ("model_type", "model_attributes_type"):
        message = "Input should be a section of keys, as in `key: value`"
    if problem["type"] == "tuple_type":
        message = "Input should be a valid list"
    given = problem.get("input")
    if problem["type"] == "string_type" and isinstance(given, bool):
        message += " (YAML reads no, yes, off and on as false and true: put text into quotation marks)"
    shown = "null" if given is None else repr(given)
    return f"{where}: {message}" + (f", not {shown}" if isinstance(given, str | int | float | bool | None) else "")


def _is_union_tag(step: Any) -> bool:
    return isinstance(step, str) and (step.startswith(("literal[", "list[", "constrained-")) or step in {"int", "str"})


def _known_keys(location: Sequence[Any]) -> set[str]:
    """The keys of the section at `location`."""
    section: type[BaseModel] | None = Recipe
    names = False
    for step in location:
        if section is None or isinstance(step, int):
            continue
        field = section.model_fields.get(str(step))
        if field is None and names:
            names = False  # a key of a mapping, as in `rules.text.word_count`: its section is the mapping's
            continue
        section = _section_of(field.annotation) if field else None
        names = field is not None and get_origin(field.annotation) is dict
    known = {field.alias or name for name, field in section.model_fields.items()} if section else set()
    return known | set(SIGNALS) if section is not None and section.__name__ == "Rules" else known


def _section_of(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in get_args(annotation):
        if found := _section_of(inner):
            return found
    return None
