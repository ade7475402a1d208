"""The next batch of a series as a flow: `curate-and-train/retrain` by hand, `/weekly-retrain` by the clock."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from prefect import flow, get_run_logger

from flows.artifacts import publish
from flows.page import write_report
from flows.parameters import DEMO, Overrides, RecipePath
from flows.stages import held, read_recipe, run_stage, told
from pipeline import preflight
from pipeline.retrain import Retrained, next_batch
from pipeline.stages import order

__all__ = ["retrain"]


@flow(name="curate-and-train")
def retrain(recipe: RecipePath = DEMO, overrides: Overrides = []) -> dict[str, Any]:  # noqa: B006
    """Train again on the shards that are new, and promote only what is better; docs/retraining.md.

    Args:
        recipe: Path of a recipe, relative to the checkout that the worker's environment is installed from; its `run`
            is the folder of the batches.
        overrides: Changes to it, each `key.path=value`, such as `train.steps=50`.
    """
    logger = get_run_logger()
    with told():
        batch = next_batch(read_recipe(recipe, overrides, packs=True))
        if batch is None:
            done = Retrained.nothing()
        else:
            preflight.check(batch.recipe, packs=True)
            stages = order(batch.recipe)
            with held(batch.recipe) as run:
                for name in stages:
                    run_stage(name, run, batch.recipe)
                write_report(run, batch.recipe)
                publish(run, batch.recipe, stages)
                done = Retrained.of(batch, run)
    logger.info("batch %s: promoted: %s: %s", done.batch, done.promoted, done.reason)
    return {**asdict(done), "run": str(done.run)}
