"""Only what the run's present recipe gives is exported: rows of an earlier one may lack its redaction."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pipeline.config import Recipe
from pipeline.curate import plan_as_read
from pipeline.errors import RunDirectoryError
from pipeline.pack import plan, plan_tokens
from pipeline.run import Manifest, RunDirectory, Stage

__all__ = ["current"]


def current(run: RunDirectory, recipe: Recipe, origin: Literal["curated", "packed"]) -> Manifest:
    """The manifest of what is to be exported.

    Args:
        run: whose stages are looked at; its sources are not, they may be gone.
        recipe: the one in the run's directory.
        origin: the folder that a format is made of.

    Raises:
        RunDirectoryError: it is not there, or was made from something else than the recipe and the rows before it.
        InputError: a tokenizer, a template or a file of tokens that the recipe names is gone.
    """
    manifest = Manifest.read(run.path(origin))
    if manifest is None:
        command = "pack" if origin == "packed" else "curate"
        raise RunDirectoryError(
            f"the run has nothing {origin} to export",
            where=str(run.path(origin)),
            mend=f"run `curate-and-train {command} RECIPE` first",
        )
    for stage in plan_as_read(run, recipe):
        _require(stage, run, origin, "curate")
    if origin == "packed":
        _require(plan_tokens(run, recipe), run, origin, "pack")
        _require(plan(run, recipe), run, origin, "pack")
    return manifest


def _require(stage: Stage | None, run: RunDirectory, origin: str, command: str) -> None:
    why = "a stage before it has not finished" if stage is None else stage.why()
    if why is None:
        return
    place: Path = run.path(origin)
    chain = "curate" if origin == "curated" else "curate RECIPE` and `curate-and-train pack"
    raise RunDirectoryError(
        f"what the run has {origin} is not what its recipe gives now: "
        + (why if stage is None else f"{stage.name}: {why}"),
        where=str(place),
        mend=f"run `curate-and-train {chain if command == 'curate' else 'pack'} RECIPE` again, with the recipe and the "
        f"overrides that are meant ({run.recipe_path.name} there holds the last ones), then export",
    )
