"""What a flow run shows on Prefect's page: where the rows went, and the metrics."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from prefect.artifacts import create_markdown_artifact

from pipeline.run import RunDirectory

__all__ = ["publish", "summary"]


def publish(run: RunDirectory, done: Sequence[dict[str, Any]]) -> None:
    """Create the artifact `curate-and-train`; its versions are the history of the runs.

    Args:
        run: whose metrics are shown, if it has any.
        done: what the stage tasks returned.
    """
    create_markdown_artifact(summary(run, done), key="curate-and-train", description=f"run {run.root}")


def summary(run: RunDirectory, done: Sequence[dict[str, Any]]) -> str:
    """The markdown: a line a stage, then a line a metric."""
    lines = ["| stage | rows in | kept | dropped | rejected |", "|---|--:|--:|--:|--:|"]
    for stage in done:
        rows = stage["rows"] or {}
        counts = [f"{rows[key]:,}" if key in rows else "" for key in ("in", "kept", "dropped", "rejected")]
        lines.append(f"| {stage['stage']} | {' | '.join(counts)} |")
    metrics = run.path("evaluation") / "metrics.json"
    if any(stage["stage"] == "evaluate" for stage in done) and metrics.exists():
        lines += ["", "| split | metric | before | after | champion |", "|---|---|--:|--:|--:|"]
        for split, values in json.loads(metrics.read_text(encoding="utf-8")).items():
            for name, value in values.items():
                cells = [_number(value.get(when)) for when in ("before", "after", "champion")]
                lines.append(f"| {split} | {name} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", f"report: `{run.path('report.html')}`"])


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
