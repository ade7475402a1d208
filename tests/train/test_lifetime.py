"""A rank's end says why: exit code and message for a user's mistake, a traceback for anything else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.errors import InputError, MachineError
from pipeline.train.lifetime import OUTCOME, PARENT, read_outcome


@pytest.mark.parametrize(
    ("what", "kind", "message"),
    [
        ("project-error", InputError, "the what\n  where: the where\n  mend:  the mend"),
        ("full-disk", MachineError, "the disk is full"),
    ],
)
def test_a_mistake_is_one_message_without_a_traceback(
    what: str, kind: type[Exception], message: str, tmp_path: Path
) -> None:
    done = rank(what, tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    outcome = read_outcome(tmp_path / "outcome.json")
    assert type(outcome) is kind
    assert message in str(outcome)


def test_a_rank_that_ends_well_leaves_no_outcome(tmp_path: Path) -> None:
    assert rank("print", tmp_path).returncode == 0
    assert read_outcome(tmp_path / "outcome.json") is None


def test_a_process_whose_parent_is_gone_already_ends_at_once(tmp_path: Path) -> None:
    done = rank("print", tmp_path, parent=1)
    assert done.returncode == 1
    assert done.stdout == ""


def rank(what: str, tmp_path: Path, *, parent: int | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "RANK": "0", "OMP_NUM_THREADS": "1", OUTCOME: str(tmp_path / "outcome.json")}
    environment[PARENT] = str(parent or os.getpid())
    return subprocess.run(
        [sys.executable, "-m", "tests.train.rank", what], env=environment, capture_output=True, text=True, check=False
    )
