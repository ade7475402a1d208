"""The stage `evaluate`: start the measuring process, and keep its record. Nothing of torch is imported here."""

from __future__ import annotations

import json
from typing import Any

from pipeline.config import Recipe
from pipeline.errors import RunDirectoryError
from pipeline.evaluate.champion import Candidate, Champion, find_candidate, pointer_path, read_pointer, rival_of
from pipeline.progress import Progress
from pipeline.run import Manifest, RunDirectory, Stage
from pipeline.train.launcher import launch

__all__ = ["PART", "evaluate", "plan", "rivals"]

VERSION = 1

PART = "evaluation"
"""The only part's name."""


def evaluate(run: RunDirectory, recipe: Recipe) -> Manifest:
    """Measure the model before and after training, and the champion, and write `evaluation/`.

    Raises:
        InputError: the champion's pointer cannot be read, or its model is gone.
        RunDirectoryError: training has not finished.
        StageError: a self-check failed.
        Preempted: stopped from outside.
    """
    stage = plan(run, recipe)
    if stage is None:
        raise RunDirectoryError(
            "there is no trained model to evaluate",
            where=str(run.root),
            mend="run `curate-and-train train RECIPE` first",
        )
    if done := stage.manifest():
        return done
    record = stage.begin().get(PART)
    if record is None:
        with Progress("evaluate", unit="bins and prompts") as progress:
            launch(
                "pipeline.evaluate",
                [str(run.root), stage.fingerprint],
                nproc=1,
                grace=recipe.training.launch.grace,
                log=run.logs / "evaluate.log",
                on_line=lambda line: _show(line, progress),
            )
        record = stage.begin()[PART]
    return stage.finish(summary=record.counts)


def plan(run: RunDirectory, recipe: Recipe) -> Stage | None:
    """The stage as it stands, or None before training has finished.

    Raises:
        InputError: the champion's pointer cannot be read.
    """
    packed, curated, tokenizer = (Manifest.read(run.path(name)) for name in ("packed", "curated", "tokenizer"))
    candidate, champion = rivals(run, recipe)
    if packed is None or curated is None or tokenizer is None or candidate is None:
        return None
    return Stage(
        run=run,
        name="evaluate",
        version=VERSION,
        config={
            **recipe.evaluate.model_dump(mode="json"),
            "seed": recipe.seed,
            "seq_length": recipe.pack.seq_length,
            "base": recipe.training.model.model_dump(mode="json"),
        },
        inputs={
            "packed": packed.content,
            "curated": curated.content_of("curated"),
            "model": candidate.model,
            "champion": champion.model if champion else None,
        },
        folders=("evaluation",),
    )


def rivals(run: RunDirectory, recipe: Recipe) -> tuple[Candidate | None, Champion | None]:
    """The model that training ended with, and the champion that it is measured against."""
    candidate, pointer = find_candidate(run), pointer_path(run, recipe)
    if candidate is None:
        return None, None
    return candidate, rival_of(candidate, read_pointer(pointer), pointer)


def _show(line: str, progress: Progress) -> None:
    """Take the measuring process's progress lines; whatever else it prints is in the log."""
    try:
        event: Any = json.loads(line)
        progress.total = event["total"]
        progress.advance(event["done"] - progress.done, note=event["note"])
    except (ValueError, KeyError, TypeError):
        return
