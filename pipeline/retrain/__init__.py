"""Train again on what is new: the next batch of a series, run as any recipe, and promoted only where it is better."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline import preflight, stages
from pipeline.failures import explained
from pipeline.recipe import load_recipe
from pipeline.retrain.series import Batch, next_batch
from pipeline.run import Manifest, RunDirectory

__all__ = ["Batch", "Retrained", "next_batch", "retrain"]


@dataclass(frozen=True, kw_only=True)
class Retrained:
    """What came of it.

    Args:
        batch: its name, or None where there was nothing new.
        run: its run directory, or None.
        promoted: whether its model is the champion now; None where nothing was trained.
        reason: one sentence for people.
    """

    batch: str | None
    run: Path | None
    promoted: bool | None
    reason: str

    @classmethod
    def nothing(cls) -> Retrained:
        """There was nothing new."""
        return cls(batch=None, run=None, promoted=None, reason="there are no new shards")

    @classmethod
    def of(cls, batch: Batch, run: RunDirectory) -> Retrained:
        """Of a batch that has come to its end in `run`."""
        decision = Manifest.read(run.path("promotion"))
        return cls(
            batch=batch.name,
            run=run.root,
            promoted=decision.summary["promoted"] if decision else None,
            reason=decision.summary["reason"] if decision else "the recipe has no section `train`",
        )


def retrain(recipe: str | Path, overrides: list[str] | None = None) -> Retrained:
    """Run the next batch of a series from curation to the gate, or go on with one that was interrupted.

    Running it again after it has come to its end, with no new shards, does nothing.

    Args:
        recipe: path of the recipe of the series; its `run` is the folder of the batches.
        overrides: changes to it, such as `train.steps=50`.

    Raises:
        ProjectError: whatever a stage raises; the same command goes on from there.
    """
    series = load_recipe(recipe, overrides or [])
    preflight.check(series, packs=True)
    batch = next_batch(series)
    if batch is None:
        return Retrained.nothing()
    preflight.check(batch.recipe)
    with stages.hold(batch.recipe) as run:
        for name in stages.order(batch.recipe):
            stages.run_stage(name, run, batch.recipe)
        with explained(run, "report"):
            from pipeline.report import report

            report(run, batch.recipe)
    return Retrained.of(batch, run)
