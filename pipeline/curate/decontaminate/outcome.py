"""What the stage `contamination` takes out of a run, for the stages behind it."""

from __future__ import annotations

from pathlib import Path

from pipeline.config import Recipe
from pipeline.run import RunDirectory

__all__ = ["drops", "earlier_name", "taken_out", "takes_out"]


def drops(recipe: Recipe) -> bool:
    """Whether rows that hold a test row are dropped, not only counted."""
    return recipe.curate.decontaminate.test_split.action == "drop"


def takes_out(recipe: Recipe) -> bool:
    """Whether rows are dropped there, for whichever reason."""
    return drops(recipe) or bool(recipe.retrain.earlier)


def taken_out(run: RunDirectory, recipe: Recipe, name: str) -> tuple[Path, ...]:
    """The files with the ledger's lines of the rows of a part that are dropped.

    Args:
        run: whose they are.
        recipe: of the run.
        name: of the part, `part-00000`.
    """
    dropped = (name,) if drops(recipe) else ()
    earlier = (earlier_name(name),) if recipe.retrain.earlier else ()
    return tuple(run.path(f"contamination/{one}.parquet") for one in (*dropped, *earlier))


def earlier_name(part: str) -> str:
    """The name of the file with the test rows of a part that earlier batches were trained on."""
    return part.replace("part-", "earlier-")
