"""The product's pass one, run on Dask's workers, on a plain pool of processes, or in this process."""

from __future__ import annotations

import contextlib
import io
import shutil
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

from pipeline.cluster import run_parts as run_on_dask
from pipeline.config import Recipe
from pipeline.curate import documents
from pipeline.run import Manifest, RunDirectory

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["here", "on", "pass_one", "recipe_for"]

RunParts = Callable[..., list[Any]]


def recipe_for(run: Path, rows: Path, *, part_bytes: int, kind: str = "text", **more: Any) -> Recipe:
    """A recipe with every step of curation, as it is by default, save that no rule drops a row."""
    source = {"name": "s", "kind": kind, "format": "text", "path": str(rows)}
    return Recipe.model_validate(
        {
            "run": str(run),
            "sources": [source],
            "ingest": {"part_bytes": part_bytes},
            "curate": {"rules": {"preset": "none"}},
            "train": {"model": {"path": "unused"}},
            **more,
        }
    )


def pass_one(recipe: Recipe, client: Client | None = None, run_parts: RunParts | None = None) -> Manifest:
    """Run the stage `documents` from nothing: look at the sources, then every part, on Dask or by `run_parts`."""
    shutil.rmtree(recipe.run, ignore_errors=True)
    run = RunDirectory.open(recipe)
    surveys = documents.survey_sources(recipe)
    quiet = contextlib.redirect_stderr(io.StringIO())  # its line of progress
    with quiet, mock.patch.object(documents, "run_parts", run_parts or run_on_dask):
        return documents.run_stage(run, recipe, surveys, lambda: client)  # type: ignore[arg-type,return-value]


def here(_: object, function: Callable[[Any], Any], jobs: Iterable[Any], *, stage: str, on_done: Any) -> list[Any]:
    """`run_parts`, one part after the other in this process."""
    return [_told(function(job), on_done) for job in jobs]


def on(pool: Executor) -> RunParts:
    """`run_parts` on a pool of processes."""

    def run(_: object, function: Any, jobs: Iterable[Any], *, stage: str, on_done: Any) -> list[Any]:
        return [_told(result, on_done) for result in pool.map(function, jobs)]

    return run


def _told(result: Any, on_done: Callable[[Any], Any]) -> Any:
    on_done(result)
    return result
