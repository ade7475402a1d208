"""The stage `evaluate`: start the measuring processes, and sum up what they found; without torch in this one."""

from __future__ import annotations

import json
from typing import Any

from pipeline.config import Recipe
from pipeline.errors import RunDirectoryError
from pipeline.evaluate.champion import Candidate, Champion, find_candidate, pointer_path, read_pointer, rival_of
from pipeline.evaluate.metrics.custom import measure_fingerprint
from pipeline.evaluate.prompts import choose_prompts
from pipeline.evaluate.summary import CONTROLS, MEASURED, PART, summarise
from pipeline.progress import Progress
from pipeline.run import Manifest, RunDirectory, Stage
from pipeline.train.launcher import launch

__all__ = ["CONTROLS", "MEASURED", "evaluate", "finish", "plan", "rivals"]

VERSION = 2


def evaluate(run: RunDirectory, recipe: Recipe) -> Manifest:
    """Measure the model before and after training, and the champion, and write `evaluation/`.

    A run that was stopped goes on with the blocks that are missing.

    Raises:
        InputError: the champion's pointer cannot be read, or its model is gone; a measure cannot be loaded.
        MachineError: unit tests are asked for, and the machine allows no sandbox.
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
    if PART not in stage.begin():
        with Progress("evaluate", unit="bins and prompts") as progress:
            launch(
                "pipeline.evaluate",
                [str(run.root), stage.fingerprint],
                nproc=recipe.evaluate.nproc,
                grace=recipe.training.launch.grace,
                log=run.logs / "evaluate.log",
                on_line=lambda line: _show(line, progress),
            )
    return finish(stage, run, recipe)


def finish(stage: Stage, run: RunDirectory, recipe: Recipe) -> Manifest:
    """Sum up the blocks, all of which are there, and write the manifest.

    Raises:
        StageError: a self-check failed.
    """
    record = stage.finished().get(PART)
    if record is None:
        prompts = choose_prompts(run.path("curated/test"), recipe.evaluate.generate, seed=recipe.seed)
        parts = stage.finished()
        names = {
            name: parts[f"{name}-tokens"].counts["same"]
            for name in ("before", "after", "champion")
            if f"{name}-tokens" in parts
        }
        record = summarise(stage, run, recipe, prompts, names)
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
    section = recipe.evaluate
    return Stage(
        run=run,
        name="evaluate",
        version=VERSION,
        config={
            **section.model_dump(mode="json", exclude={"nproc"}),
            "measures": {name: measure_fingerprint(metric) for name, metric in section.metrics.items()},
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
    """Take the measuring processes' progress lines; whatever else they print is in the log."""
    try:
        event: Any = json.loads(line)
        progress.total = event["total"]
        progress.advance(event["add"], note=event["note"])
    except (ValueError, KeyError, TypeError):
        return
