"""`sweep` on the command line: tables that `cut` can read, and one message a mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.cli import main
from tests.sweep.measured_runs import measured_run

ROWS = [
    {"source": source, "kind": "text", "word_count": words, "url_share": 0.9 if words == 9 else 0.0}
    for source in ("a", "b")
    for words in range(10)
]
RULES = {"preset": "none", "word_count": {"min": 5}, "url_share": {"max": 0.5}}


@pytest.fixture
def run(tmp_path: Path) -> str:
    return str(measured_run(tmp_path / "run", ROWS, RULES).root)


def printed(capsys: pytest.CaptureFixture[str]) -> list[list[str]]:
    return [line.split("\t") for line in capsys.readouterr().out.splitlines()]


def test_outcomes_by_value_and_source(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", run, "word_count.min=7,null"]) == 0
    assert printed(capsys) == [
        ["word_count.min", "source", "rows", "kept", "dropped", "change", "word_count alone"],
        ["as run", "all", "20", "8", "12", "+0", "10"],
        ["as run", "a", "10", "4", "6", "+0", "5"],
        ["as run", "b", "10", "4", "6", "+0", "5"],
        ["7", "all", "20", "4", "16", "-4", "14"],
        ["7", "a", "10", "2", "8", "-2", "7"],
        ["7", "b", "10", "2", "8", "-2", "7"],
        ["null", "all", "20", "18", "2", "+10", "0"],
        ["null", "a", "10", "9", "1", "+5", "0"],
        ["null", "b", "10", "9", "1", "+5", "0"],
    ]


def test_without_settings_the_run_s_rules_are_listed(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", run, "--source", "b"]) == 0
    assert printed(capsys) == [
        ["rule", "kind", "bound", "rows", "failed", "alone", "p1", "p10", "p50", "p90", "p99"],
        ["word_count", "text", "≥ 5", "10", "5", "5", "0", "0", "4", "8", "9"],
        ["url_share", "text", "≤ 0.5", "10", "1", "1", "0", "0", "0", "0", "0.9"],
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["word_cont.min=3"], "(did you mean 'word_count'?)"),
        (["word_count.min"], "sets no bound"),
        (["--kind", "txt"], "(did you mean 'text'?)"),
        (["--source", "c"], "it has: a, b"),
    ],
)
def test_a_mistake_is_one_message(
    run: str, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sweep", run, *arguments]) == 2
    shown = capsys.readouterr()
    assert message in shown.err
    assert "Traceback" not in shown.err
    assert shown.out == ""
