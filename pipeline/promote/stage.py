"""The stage `promote`: decide, move the pointer, and write down why."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from pipeline.atomic import write_json
from pipeline.config import Recipe
from pipeline.errors import RunDirectoryError, StageError
from pipeline.evaluate.champion import (
    Candidate,
    Champion,
    Standing,
    find_candidate,
    pointer_path,
    read_pointer,
    rival_of,
)
from pipeline.evaluate.scores import pairs
from pipeline.promote.gate import Verdict, judge
from pipeline.promote.pointer import as_champion, crown, pointer_lock
from pipeline.promote.registry import entry, is_promoted, is_rolled_back, known
from pipeline.run import Manifest, RunDirectory, Stage

__all__ = ["plan", "promote"]

VERSION = 2


def promote(run: RunDirectory, recipe: Recipe) -> Manifest:
    """Make the candidate the champion if it beats the one there is, and write `promotion/decision.json`.

    The decision, the pointer and the record are made under one lock on the pointer, so two runs that promote at
    the same time decide one after the other. Running it again changes nothing.

    Raises:
        InputError: the pointer cannot be read.
        RunDirectoryError: the run has no evaluation of its last model.
        StageError: another champion was made after this candidate was measured against the old one.
    """
    pointer = pointer_path(run, recipe)
    with pointer_lock(pointer):
        evaluation, candidate = _measured(run)
        standing = read_pointer(pointer)
        stage = _stage(run, recipe, evaluation, candidate, standing)
        if done := stage.manifest():
            return done
        rival = rival_of(candidate, standing, pointer)
        if evaluation.inputs["champion"] != (rival.model if rival else None):
            raise StageError(
                "the champion has changed since this candidate was evaluated",
                where=str(pointer),
                mend="run the same command again: evaluation measures the champion of now",
            )
        metrics = json.loads(run.path("evaluation/metrics.json").read_text(encoding="utf-8"))
        verdict = _verdict(run, recipe, candidate, standing, rival)
        if not _holds(candidate, standing):
            standing = _decide(run, recipe, candidate, standing, rival, verdict, _after(metrics["test"]))
        # Of the place as it is now, so that the same command finds the stage done.
        return _record(_stage(run, recipe, evaluation, candidate, standing), verdict, rival)


def plan(run: RunDirectory, recipe: Recipe) -> Stage | None:
    """The stage as it stands, or None before training and evaluation have finished."""
    evaluation, candidate = Manifest.read(run.path("evaluation")), find_candidate(run)
    if evaluation is None or candidate is None:
        return None
    return _stage(run, recipe, evaluation, candidate, read_pointer(pointer_path(run, recipe)))


def _stage(
    run: RunDirectory, recipe: Recipe, evaluation: Manifest, candidate: Candidate, standing: Standing | None
) -> Stage:
    rival = rival_of(candidate, standing, pointer_path(run, recipe))
    place = "empty" if standing is None else "candidate" if _holds(candidate, standing) else "other"
    if place == "other" and standing and is_rolled_back(standing.history, candidate.model):
        place = "taken back"
    return Stage(
        run=run,
        name="promote",
        version=VERSION,
        config={**recipe.promote.model_dump(mode="json", exclude={"keep"}), "seed": recipe.seed},
        inputs={
            "evaluation": evaluation.content,
            "model": candidate.model,
            "champion": rival.model if rival else None,
            "place": place,
        },
        folders=("promotion",),
    )


def _measured(run: RunDirectory) -> tuple[Manifest, Candidate]:
    evaluation, candidate = Manifest.read(run.path("evaluation")), find_candidate(run)
    if evaluation is None or candidate is None or evaluation.inputs["model"] != candidate.model:
        raise RunDirectoryError(
            "the run has no evaluation of its last model",
            where=str(run.root),
            mend="run `curate-and-train evaluate RECIPE` first",
        )
    return evaluation, candidate


def _holds(candidate: Candidate, standing: Standing | None) -> bool:
    return standing is not None and standing.champion.model == candidate.model


def _verdict(
    run: RunDirectory, recipe: Recipe, candidate: Candidate, standing: Standing | None, rival: Champion | None
) -> Verdict:
    section = recipe.promote
    verdict = Verdict(promoted=False, reason="", margin=section.margin, confidence=section.confidence)
    if standing and not _holds(candidate, standing) and (when := is_rolled_back(standing.history, candidate.model)):
        reason = f"it was taken back on {when}; `promote --rollback --to {candidate.model[:12]}` brings it back"
        return replace(verdict, reason=reason)
    scores = run.path("evaluation/scores.parquet")
    judged = judge(
        lambda metric: pairs(scores, metric),
        section,
        recipe.evaluate.measures(),
        has_champion=rival is not None,
        seed=recipe.seed,
    )
    # A kill between the pointer and the record leaves the same question: the same answer is recorded.
    if (
        standing is None
        or not _holds(candidate, standing)
        or is_promoted(standing.history, candidate.model, judged.reason)
    ):
        return judged
    return replace(verdict, promoted=True, reason="it is the champion already; nothing was changed")


def _decide(
    run: RunDirectory,
    recipe: Recipe,
    candidate: Candidate,
    standing: Standing | None,
    rival: Champion | None,
    verdict: Verdict,
    metrics: dict[str, float | None],
) -> Standing | None:
    """Write the decision into the registry, and with it, where the candidate won, the champion."""
    pointer = pointer_path(run, recipe)
    model = recipe.training.model
    made = as_champion(run, recipe, candidate, pointer, metrics)
    decision = entry(
        "promoted" if verdict.promoted else "kept",
        made,
        reason=verdict.reason,
        against=rival,
        base=model.path or "random weights",
    )
    if verdict.promoted:
        keep = recipe.promote.keep
        return crown(candidate, made, pointer, standing, over=rival, decision=decision, keep=keep)
    if standing is not None and not known(standing.history, decision):
        standing = replace(standing, history=[*standing.history, decision])
        write_json(pointer, standing.to_json())
    return standing


def _after(test: dict[str, Any]) -> dict[str, float | None]:
    return {name: values["after"] for name, values in sorted(test.items())}


def _record(stage: Stage, verdict: Verdict, rival: Champion | None) -> Manifest:
    stage.begin()
    over = None
    if rival is not None:
        over = {"run": rival.run, "model": rival.model, "recipe": rival.recipe, "data": rival.data}
    decision = {**asdict(verdict), "against": over}
    path: Path = stage.run.path("promotion/decision.json")
    write_json(path, decision)
    stage.commit("decision", {"promotion/decision.json": 0}, {})
    return stage.finish(summary=decision)
