"""The HTML page at the end of a run, as a task."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from pipeline.config import Recipe
from pipeline.failures import explained
from pipeline.run import RunDirectory

__all__ = ["write_report"]


@task(name="report", cache_policy=NO_CACHE, persist_result=False)
def write_report(run: RunDirectory, recipe: Recipe) -> None:
    """Write the HTML page."""
    with explained(run, "report"):
        from pipeline.report import report

        report(run, recipe)
