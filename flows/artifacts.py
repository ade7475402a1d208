"""What a flow run shows on Prefect's page: where the rows went, the metrics, and where the report lies.

Every artifact has one key, so that its versions are the history of the runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from prefect.artifacts import create_link_artifact, create_table_artifact

from pipeline.config import Recipe
from pipeline.report.funnel import funnel
from pipeline.report.measures import CONTENDERS, Measured, read_measures
from pipeline.run import Manifest, RunDirectory

__all__ = ["funnel_table", "metrics_table", "publish"]


_BETTER_BY = "better by"


def publish(run: RunDirectory, recipe: Recipe, stages: Sequence[str]) -> None:
    """Create the artifacts `funnel`, `metrics` and `report`, those that the stages have something for.

    Args:
        run: whose they are.
        recipe: of the run.
        stages: that this flow run has been through; what an earlier one measured is not shown as its own.
    """
    about = f"run {run.root}"
    if {"curate", "pack"} & set(stages):
        create_table_artifact(funnel_table(run), key="funnel", description=f"Where the rows went: {about}")
    if {"evaluate", "promote"} & set(stages) and (table := metrics_table(run, recipe)):
        said = f"Before, after and the champion, in brackets 95 % intervals over rows: {about}{_decision(run)}"
        create_table_artifact(table, key="metrics", description=said)
    report = run.path("report.html")
    if report.exists():
        create_link_artifact(report.as_uri(), key="report", link_text=str(report), description=f"The page of {about}")


def funnel_table(run: RunDirectory) -> list[dict[str, Any]]:
    """A row a step of the funnel: rows left, rows taken away, in what sense."""
    return [{"step": step.name, "rows": step.rows, "dropped": step.dropped, "note": step.note} for step in funnel(run)]


def metrics_table(run: RunDirectory, recipe: Recipe) -> list[dict[str, Any]]:
    """A row a split and metric, each number with its interval, as on the report's page; empty before evaluation.

    The measure that the gate compared has a column more: by how much the candidate is better than the champion on the
    same rows, with the interval (of `promote.confidence`) that the decision rests on.
    """
    decision = _read_decision(run)
    return [
        {"split": one.split, "metric": _name(one), "rows": one.rows}
        | {name: _shown(*(one.columns[name][key] for key in ("value", "low", "high"))) for name in CONTENDERS}
        | {_BETTER_BY: _better_by(one, decision)}
        for one in read_measures(run, recipe) or ()
        if one.part is None or _is_compared(one, decision)
    ]


def _name(one: Measured) -> str:
    return one.metric if one.part is None else f"{one.metric}@{one.part}"


def _is_compared(one: Measured, decision: Mapping[str, Any]) -> bool:
    return (one.split, _name(one)) == ("test", decision.get("metric"))


def _better_by(one: Measured, decision: Mapping[str, Any]) -> str:
    gained = decision.get("improvement")
    if gained is None or not _is_compared(one, decision):
        return ""
    return _shown(gained["estimate"], gained["low"], gained["high"])


def _shown(value: float | None, low: float | None, high: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if low is None or high is None else f"{value:.4g} [{low:.4g}, {high:.4g}]"


def _decision(run: RunDirectory) -> str:
    """The gate's decision, as a sentence to put behind another one."""
    decision = _read_decision(run)
    return f"; {'promoted' if decision['promoted'] else 'not promoted'}: {decision['reason']}" if decision else ""


def _read_decision(run: RunDirectory) -> Mapping[str, Any]:
    """What the gate wrote down of this evaluation; empty before, and where only an earlier one was decided on."""
    decided, evaluated = Manifest.read(run.path("promotion")), Manifest.read(run.path("evaluation"))
    if decided is None or evaluated is None or decided.inputs["evaluation"] != evaluated.content:
        return {}
    return decided.summary
