"""The whole line as one flow: `prefect deployment run curate-and-train/local`."""

from __future__ import annotations

from typing import Any

from prefect import flow

from flows.artifacts import publish
from flows.page import write_report
from flows.parameters import DEMO, Overrides, RecipePath
from flows.stages import held_run, run_stage
from pipeline.stages import order

__all__ = ["curate_and_train"]


@flow(name="curate-and-train")
def curate_and_train(recipe: RecipePath = DEMO, overrides: Overrides = []) -> list[dict[str, Any]]:  # noqa: B006
    """Curate, pack, train, evaluate, promote and report; what is unchanged is reused.

    Args:
        recipe: Path of a recipe, relative to the checkout that the worker's environment is installed from.
        overrides: Changes to it, each `key.path=value`, such as `train.steps=50`.
    """
    with held_run(recipe, overrides) as (run, loaded):
        stages = order(loaded)
        done = [run_stage(name, run, loaded) for name in stages]
        write_report(run, loaded)
        publish(run, loaded, stages)
    return done
