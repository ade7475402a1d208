"""After a resume no step is told twice, and half a line is no line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.train.journal import Journal, parse_line
from pipeline.train.loop import StepReport


def test_later_steps_and_half_a_line_are_dropped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "logs/train.jsonl"
    first = Journal(path, after=0)
    for step in (1, 2, 3):
        first.write(report(step), steps=5)
    with path.open("a") as stream:
        stream.write('{"step": 4, "lo')
    second = Journal(path, after=2)
    second.write(report(3), steps=5)
    assert [json.loads(line)["step"] for line in path.read_text().splitlines()] == [1, 2, 3]
    printed = capsys.readouterr().out.splitlines()
    assert [parse_line(line) for line in printed][-1] == (3, "loss 0.5000  lr 1.00e-03  2,000 tokens/s")
    assert parse_line("step by step") is None


def report(step: int) -> StepReport:
    return StepReport(step=step, loss=0.5, lr=1e-3, grad_norm=1.0, tokens=10, target_tokens=5, tokens_per_second=2000.0)
