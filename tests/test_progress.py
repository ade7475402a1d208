"""Progress without a terminal: every line says something new."""

from __future__ import annotations

import pytest

from pipeline import progress


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [" ".join(line.split()[:3]) for line in capsys.readouterr().err.splitlines()]


def test_the_end_is_said_once(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(progress, "_PLAIN_EVERY", 0.0)
    with progress.Progress("letters", total=2) as counted:
        counted.advance(rows=3)
        counted.advance(rows=4)
    assert lines(capsys) == ["letters 1/2 parts", "letters 2/2 parts"]


def test_a_short_stage_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.Progress("letters", total=2) as counted:
        counted.advance(2, rows=7, dropped=1)
    assert lines(capsys) == ["letters 2/2 parts"]


def test_a_stage_that_fails_does_not_look_finished(capsys: pytest.CaptureFixture[str]) -> None:
    counted = progress.Progress("letters", total=2)

    def fail() -> None:
        with counted:
            counted.advance()
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()
    assert lines(capsys) == []
