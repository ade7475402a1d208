"""After a resume no step is told twice, and half a line is no line."""

from __future__ import annotations

import json
from pathlib import Path

from pipeline.train.journal import Journal, parse_line, step_line


def test_later_steps_and_half_a_line_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "logs/train.jsonl"
    first = Journal(path, after=0)
    for step in (1, 2, 3):
        first.write(entry(step))
    with path.open("a") as stream:
        stream.write('{"step": 4, "lo')
    second = Journal(path, after=2)
    assert second.kept == [entry(1), entry(2)]
    second.write(entry(3))
    assert [json.loads(line)["step"] for line in path.read_text().splitlines()] == [1, 2, 3]


def test_a_printed_step_is_read_back() -> None:
    line = step_line(entry(3), steps=5, seconds_left=3661.4)
    assert parse_line(line) == (3, "loss 0.5000  lr 1.00e-03  2,000 tokens/s  1:01:01 left")
    assert parse_line("step by step") is None


def entry(step: int) -> dict[str, float]:
    return {"step": step, "loss": 0.5, "lr": 1e-3, "tokens_per_second": 2000.0}
