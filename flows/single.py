"""One flow a stage, for running or scheduling a stage alone; the stages before it must be finished."""

from __future__ import annotations

from typing import Any

from prefect import flow

from flows.artifacts import publish
from flows.parameters import DEMO, Overrides, RecipePath
from flows.stages import held_run, run_stage

__all__ = ["curate", "evaluate", "pack", "promote", "train"]


@flow(name="curate")
def curate(recipe: RecipePath = DEMO, overrides: Overrides = []) -> dict[str, Any]:  # noqa: B006
    """Read, clean, redact, filter, deduplicate and split the sources.

    Args:
        recipe: Path of a recipe, relative to the checkout that the worker's environment is installed from.
        overrides: Changes to it, each `key.path=value`, such as `train.steps=50`.
    """
    return _run_alone("curate", recipe, overrides)


@flow(name="pack")
def pack(recipe: RecipePath = DEMO, overrides: Overrides = []) -> dict[str, Any]:  # noqa: B006
    """Tokenise the kept rows and pack them into bins.

    Args:
        recipe: Path of a recipe, relative to the checkout that the worker's environment is installed from.
        overrides: Changes to it, each `key.path=value`, such as `train.steps=50`.
    """
    return _run_alone("pack", recipe, overrides)


@flow(name="train")
def train(recipe: RecipePath = DEMO, overrides: Overrides = []) -> dict[str, Any]:  # noqa: B006
    """Train the model on the bins.

    Args:
        recipe: Path of a recipe, relative to the checkout that the worker's environment is installed from.
        overrides: Changes to it, each `key.path=value`, such as `train.steps=50`.
    """
    return _run_alone("train", recipe, overrides)


@flow(name="evaluate")
def evaluate(recipe: RecipePath = DEMO, overrides: Overrides = []) -> dict[str, Any]:  # noqa: B006
    """Measure the model before and after.

    Args:
        recipe: Path of a recipe, relative to the checkout that the worker's environment is installed from.
        overrides: Changes to it, each `key.path=value`, such as `train.steps=50`.
    """
    return _run_alone("evaluate", recipe, overrides)


@flow(name="promote")
def promote(recipe: RecipePath = DEMO, overrides: Overrides = []) -> dict[str, Any]:  # noqa: B006
    """Make the candidate the champion if it is better.

    Args:
        recipe: Path of a recipe, relative to the checkout that the worker's environment is installed from.
        overrides: Changes to it, each `key.path=value`, such as `train.steps=50`.
    """
    return _run_alone("promote", recipe, overrides)


def _run_alone(name: str, recipe: str, overrides: list[str]) -> dict[str, Any]:
    with held_run(recipe, overrides, needs_before=name) as (run, loaded):
        done = run_stage(name, run, loaded)
        publish(run, loaded, [name])
    return done
