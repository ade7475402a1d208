"""The page and the summary show what each rule takes away, in all and alone."""

from __future__ import annotations

from typing import Any

from pipeline.report import report
from pipeline.report.funnel import funnel
from pipeline.report.rules import read_rules
from pipeline.run import RunDirectory, Stage
from tests.report.conftest import Made


def write_documents(run: RunDirectory) -> None:
    bound: dict[str, Any] = {"signal": "char_count", "min": 3.0, "max": None, "in": None}
    rules = {
        "pair": {"short": bound, "url_share": {**bound, "signal": "url_share", "min": None, "max": 0.2}},
        "chat": {"short": {**bound, "max": 9000.0}},
    }
    counts = {"short": {"failed": 7, "alone": 2}, "url_share": {"failed": 1, "alone": 0}}
    stage = Stage(run=run, name="documents", version=1, config={"rules": rules}, inputs={}, folders=("documents",))
    stage.begin()
    stage.finish(summary={"rules": counts, "excerpts": {}})


def test_every_rule_is_shown_with_its_bounds_and_counts(whole: Made) -> None:
    run, recipe = whole
    assert read_rules(run) is None
    write_documents(run)
    found = read_rules(run) or []
    assert [(one.rule, one.failed, one.alone) for one in found] == [("short", 7, 2), ("url_share", 1, 0)]
    html = report(run, recipe).read_text(encoding="utf-8")
    assert "chat char_count 3 … 9,000; pair char_count ≥ 3" in html
    assert "pair ≤ 0.2" in html
    row = html[html.index("<tr><td>short</td>") :].splitlines()[0]
    assert row.endswith('<td class="num">7</td><td class="num">2</td></tr>')


def test_the_funnel_names_the_rules_that_drop_most_alone(whole: Made) -> None:
    write_documents(whole[0])
    notes = {step.name: step.note for step in funnel(whole[0])}
    assert notes["filter"] == "failed a rule; alone: short 2"
