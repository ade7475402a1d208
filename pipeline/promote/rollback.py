"""Back to a former champion, by one replacement of the pointer."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

from pipeline.atomic import write_json
from pipeline.config import Recipe
from pipeline.errors import InputError, did_you_mean
from pipeline.evaluate.champion import Champion, Standing, champion_model, pointer_path, read_pointer
from pipeline.promote.pointer import models_folder, pointer_lock
from pipeline.promote.registry import entry, formers, is_rolled_back
from pipeline.run import RunDirectory

__all__ = ["history", "rollback"]

_SHOWN = 12
"""Characters of a fingerprint that people are shown, and may name a model by; four are enough where they are enough."""


def rollback(recipe: Recipe, *, to: str | None = None) -> Standing:
    """Point at the former champion, or at the model `to`; what was champion is not promoted again by itself.

    Nothing is measured: who rolls back knows why. The models stay, so the step can be taken back with `to`.

    Args:
        recipe: whose pointer it is.
        to: the beginning of a model's fingerprint, as `history` shows it.

    Raises:
        InputError: there is no champion, no former one, no such model, or its folder is gone or changed.
    """
    pointer = pointer_path(RunDirectory(Path(recipe.run)), recipe)
    with pointer_lock(pointer):
        standing = read_pointer(pointer)
        if standing is None:
            raise InputError(
                "there is no champion to roll back from", where=str(pointer), mend="`promote` makes the first one"
            )
        model = _named(standing, to, pointer) if to else _former(standing, pointer)
        target = _champion_of(standing, model)
        champion_model(target, pointer)  # or the error that says what is wrong with its folder
        left, back = standing.champion, is_rolled_back(standing.history, model) is not None
        event, reason = ("restored", "brought back by hand") if back else ("rolled_back", "taken back by hand")
        decision = entry(event, target, reason=reason, against=left)
        before = next((one for one in formers([*standing.history, decision], model) if one != left.model), None)
        over = _champion_of(standing, before) if before and (models_folder(pointer) / before).is_dir() else None
        moved = Standing(champion=target, promoted_over=over, history=[*standing.history, decision])
        write_json(pointer, moved.to_json())
        return moved


def history(recipe: Recipe) -> tuple[Standing | None, Path]:
    """What the pointer of a recipe says, and where it lies.

    Raises:
        InputError: the pointer cannot be read.
    """
    pointer = pointer_path(RunDirectory(Path(recipe.run)), recipe)
    return read_pointer(pointer), pointer


def _former(standing: Standing, pointer: Path) -> str:
    over = [standing.promoted_over.model] if standing.promoted_over else []
    every = [*over, *formers(standing.history, standing.champion.model)]
    kept = [model for model in every if (models_folder(pointer) / model).is_dir()]
    if not kept:
        raise InputError(
            "no model of a former champion is kept",
            where=str(models_folder(pointer)),
            mend="promote.keep says how many are; or name a model that `history` lists with --to",
        )
    return kept[0]


def _named(standing: Standing, to: str, pointer: Path) -> str:
    found = {str(one["model"]) for one in standing.history if str(one.get("model", "")).startswith(to)}
    kept = sorted(path.name for path in models_folder(pointer).glob("*") if path.is_dir())
    several = sorted(found & set(kept))
    if len(several) != 1:
        names = [name[:_SHOWN] for name in kept]
        what = f"{len(several)} kept models begin with {to!r}" if several else f"no kept model is called {to!r}"
        raise InputError(
            what + did_you_mean(to, names), where=str(models_folder(pointer)), mend=f"kept are {', '.join(names)}"
        )
    if several[0] == standing.champion.model:
        raise InputError(
            "this model is the champion already", where=str(pointer), mend="`history` shows the others that are kept"
        )
    return several[0]


def _champion_of(standing: Standing, model: str) -> Champion:
    """A former champion, as the registry's last entry of it has it."""
    if standing.promoted_over is not None and standing.promoted_over.model == model:
        return standing.promoted_over
    last: dict[str, Any] = next(one for one in reversed(standing.history) if one.get("model") == model)
    return Champion(**{field.name: last[field.name] for field in fields(Champion)})
