"""One Prefect task that runs a stage; flows call it directly, one stage after the other.

Never `.submit()` it: Prefect turns SIGTERM into an exception in the main thread only, and the launcher of torchrun
and the Dask client clean up on that exception.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.runtime import flow_run

from flows.progress import progress_shown
from pipeline import preflight, stages
from pipeline.config import Recipe
from pipeline.errors import PASSING, Preempted, ProjectError
from pipeline.recipe import load_recipe
from pipeline.run import RunDirectory

__all__ = ["can_heal", "held", "held_run", "read_recipe", "run_stage", "told"]


def can_heal(_task: Any, _run: TaskRun, state: State[Any]) -> bool:
    """Whether trying again may help: after a preemption, or a passing failure of a disk or the network.

    A wrong recipe, wrong data, a full disk or a defect would only fail again, later.
    """
    error = state.result(raise_on_failure=False)
    if isinstance(error, Preempted):
        return True
    if isinstance(error, ProjectError) and error.exit_code == 2:
        return False
    while isinstance(error, BaseException):
        if isinstance(error, OSError) and error.errno in PASSING:
            return True
        error = error.__cause__ or error.__context__
    return False


@task(
    name="stage",
    task_run_name="{name}",
    # The run directory decides what is reused (by content); Prefect's keys would know less.
    cache_policy=NO_CACHE,
    persist_result=False,
    retries=2,
    retry_delay_seconds=[10, 60],
    retry_condition_fn=can_heal,
)
def run_stage(name: str, run: RunDirectory, recipe: Recipe) -> dict[str, Any]:
    """Run a stage or reuse its output; a retry goes on from the finished parts.

    Returns:
        The stage, the fingerprint of its output, and where the rows went (None where no rows pass).
    """
    with progress_shown(name):
        manifest = stages.run_stage(name, run, recipe)
    return {"stage": name, "content": manifest.content, "rows": manifest.rows}


def read_recipe(recipe: str, overrides: list[str], *, packs: bool) -> Recipe:
    """Read a recipe, and check what can be told without starting.

    Args:
        recipe: its path.
        overrides: changes to it.
        packs: its rows are to become bins.

    Raises:
        ProjectError: it is wrong.
    """
    loaded = load_recipe(recipe, overrides)
    preflight.check(loaded, packs=packs)
    return loaded


@contextmanager
def held(recipe: Recipe, *, needs_before: str | None = None) -> Iterator[RunDirectory]:
    """Hold a recipe's run directory in the name of this flow run.

    Raises:
        ProjectError: another process holds it, or what a stage needs is missing.
    """
    with stages.hold(recipe, needs_before=needs_before, name=f"flow run {flow_run.name}") as run:
        get_run_logger().info("run directory: %s", run.root.resolve())
        yield run


@contextmanager
def told() -> Iterator[None]:
    """Log a user's mistake as `curate-and-train` would print it; the flow run ends Failed with that message.

    Raises:
        ProjectError: as it came.
    """
    try:
        yield
    except ProjectError as error:
        get_run_logger().error("%s", error)
        raise


@contextmanager
def held_run(
    recipe: str, overrides: list[str], *, needs_before: str | None = None
) -> Iterator[tuple[RunDirectory, Recipe]]:
    """Read the recipe and hold its run directory while a flow works on it.

    Raises:
        ProjectError: as `curate-and-train` would print it; the flow run ends Failed with that message.
    """
    with told():
        loaded = read_recipe(recipe, overrides, packs=needs_before != "curate")
        with held(loaded, needs_before=needs_before) as run:
            yield run, loaded
