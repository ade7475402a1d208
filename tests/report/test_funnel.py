"""Properties: every step is the one before less what it took; the equation holds or the report stops."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest

from pipeline.errors import RunDirectoryError
from pipeline.report.funnel import conservation, funnel, print_summary, summary_lines
from pipeline.run import RunDirectory
from tests.evaluate.runs import make_recipe, make_run, pair, sums
from tests.report.conftest import Made


def test_each_step_is_the_one_before_less_what_it_took(whole: Made) -> None:
    steps = funnel(whole[0])
    assert [step.name for step in steps] == [
        *("rows in", "ingest", "clean", "filter", "exact", "fuzzy", "kept", "packed")
    ]
    for before, after in pairwise(steps):
        assert after.rows == before.rows - after.dropped
        assert after.dropped >= 0
    assert [step.dropped for step in steps] == [0, 2, 1, 7, 1, 1, 0, 0]
    assert (steps[0].rows, steps[-1].rows) == (50, 38)


def test_the_equation_is_checked_again(whole: Made) -> None:
    run, _ = whole
    assert conservation(run) == "50 rows in = 38 kept + 10 dropped + 2 rejected"
    path = run.path("curated/_manifest.json")
    value = json.loads(path.read_text())
    value["rows"]["kept"] -= 1
    path.write_text(json.dumps(value))
    with pytest.raises(RunDirectoryError, match="50 rows in, but 37 kept"):
        conservation(run)


def test_the_summary_says_what_a_run_comes_to(whole: Made, capsys: pytest.CaptureFixture[str]) -> None:
    from pipeline.report import report

    run, recipe = whole
    page = report(run, recipe)
    print_summary(run)
    lines = capsys.readouterr().out.splitlines()
    assert lines == summary_lines(run)
    assert "50 rows in = 38 kept + 10 dropped + 2 rejected" in lines
    assert "test loss: 5.8123 before → 2.3456 after" in lines
    assert "promoted: there is no champion yet" in lines
    assert f"report: {page}" in lines
    assert any(line.startswith("packing efficiency: train ") for line in lines)


def test_before_anything_has_run_there_is_nothing_to_say(tmp_path: Path) -> None:
    run = RunDirectory.open(make_recipe(tmp_path / "run"))
    assert funnel(run) == []
    assert conservation(run) is None
    assert summary_lines(run) == []


def test_rows_that_do_not_become_examples_are_told_with_the_reason(tmp_path: Path) -> None:
    rows = {
        "train": [*sums(0, 24), pair(90, "word " * 300, "Yes."), pair(91, "Go on.", "word " * 300)],
        "validation": [],
        "test": sums(200, 3),
    }
    run, _ = make_run(tmp_path / "run", rows)
    last = funnel(run)[-1]
    assert (last.rows, last.dropped) == (28, 1)
    assert "1 dropped: no answer within a bin's length; 1 cut to a bin's length" in last.note
