"""What a flow run shows on Prefect's page: where the rows went, the metrics, and where the report lies.

Every artifact has one key, so that its versions are the history of the runs.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from prefect.artifacts import create_link_artifact, create_table_artifact

from pipeline.report.funnel import funnel
from pipeline.run import RunDirectory

__all__ = ["funnel_table", "metrics_table", "publish"]


def publish(run: RunDirectory, stages: Sequence[str]) -> None:
    """Create the artifacts `funnel`, `metrics` and `report`, those that the stages have something for.

    Args:
        run: whose they are.
        stages: that this flow run has been through; what an earlier one measured is not shown as its own.
    """
    about = f"run {run.root}"
    if {"curate", "pack"} & set(stages):
        create_table_artifact(funnel_table(run), key="funnel", description=f"Where the rows went: {about}")
    if {"evaluate", "promote"} & set(stages) and (table := metrics_table(run)):
        create_table_artifact(
            table, key="metrics", description=f"Before, after and the champion: {about}{_decision(run)}"
        )
    report = run.path("report.html")
    if report.exists():
        create_link_artifact(report.as_uri(), key="report", link_text=str(report), description=f"The page of {about}")


def funnel_table(run: RunDirectory) -> list[dict[str, Any]]:
    """A row a step of the funnel: rows left, rows taken away, in what sense."""
    return [{"step": step.name, "rows": step.rows, "dropped": step.dropped, "note": step.note} for step in funnel(run)]


def metrics_table(run: RunDirectory) -> list[dict[str, Any]]:
    """A row a split and metric; empty before evaluation has finished."""
    metrics = run.path("evaluation") / "metrics.json"
    if not metrics.exists():
        return []
    return [
        {"split": split, "metric": name} | {when: _number(value.get(when)) for when in ("before", "after", "champion")}
        for split, values in json.loads(metrics.read_text(encoding="utf-8")).items()
        for name, value in values.items()
    ]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _decision(run: RunDirectory) -> str:
    """The gate's decision, as a sentence to put behind another one."""
    path = run.path("promotion") / "decision.json"
    if not path.exists():
        return ""
    decision = json.loads(path.read_text(encoding="utf-8"))
    return f"; {'promoted' if decision['promoted'] else 'not promoted'}: {decision['reason']}"
