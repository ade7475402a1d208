"""Whatever ends a launch, the caller hears why in one message, and no process is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from pipeline.errors import Preempted, StageError
from pipeline.train.launcher import launch
from tests.processes import alive, left, variable

MODULE = "tests.train.rank"
MARK = "TESTS_OF_THE_LAUNCHER"
"""A variable that whatever a test starts inherits: other tests, and other runs of this one, start the same module."""


def test_every_rank_runs_and_its_lines_arrive_in_the_log_and_the_callback(tmp_path: Path) -> None:
    lines: list[str] = []
    launch(MODULE, ["print"], nproc=2, grace=1, log=tmp_path / "logs/a.log", on_line=lines.append)
    assert {"rank 0 threads 1", "rank 1 threads 1"} <= set(lines)
    assert {"rank 0 meets at 127.0.0.1", "rank 1 meets at 127.0.0.1"} <= set(lines), "whatever the host is called"
    assert (tmp_path / "logs/a.log").read_text().splitlines() == lines


@pytest.mark.parametrize(
    ("what", "kind", "message"),
    [
        ("raise", StageError, "rank: ZeroDivisionError: the seventh"),
        ("killed", StageError, "Signal 9 (SIGKILL)"),
    ],
)
def test_the_cause_of_a_failure_is_the_message(what: str, kind: type[Exception], message: str, tmp_path: Path) -> None:
    with pytest.raises(kind) as caught:
        launch(MODULE, [what], nproc=1, grace=1, log=tmp_path / "a.log")
    assert type(caught.value) is kind
    assert message in str(caught.value)
    assert started() == []


def test_of_many_ranks_the_one_that_was_killed_is_the_cause_not_those_stopped_for_it(tmp_path: Path) -> None:
    with pytest.raises(StageError) as caught:
        launch(MODULE, ["last-killed"], nproc=4, grace=1, log=tmp_path / "a.log")
    assert "Signal 9 (SIGKILL)" in str(caught.value)
    assert "lower train.micro_batch" in str(caught.value)
    assert started() == []


def test_an_exception_of_the_caller_passes_and_ranks_that_ignore_sigterm_are_killed(tmp_path: Path) -> None:
    pids: list[int] = []

    def interrupt(line: str) -> None:
        if line.startswith("pid "):
            pids.append(int(line.split()[1]))
            if len(pids) == 2:
                assert len(started()) == 3, "the agent and two ranks"
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        launch(MODULE, ["hang"], nproc=2, grace=1, log=tmp_path / "a.log", on_line=interrupt)
    assert len(pids) == 2
    assert not any(psutil.pid_exists(pid) for pid in pids)
    assert started() == []


def test_sigterm_becomes_preempted_and_the_handler_is_put_back(tmp_path: Path) -> None:
    def terminate(line: str) -> None:
        if line.startswith("pid "):
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Preempted):
        launch(MODULE, ["hang"], nproc=1, grace=1, log=tmp_path / "a.log", on_line=terminate)
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    assert started() == []


def test_nothing_outlives_a_launcher_or_an_agent_that_is_killed_outright(tmp_path: Path) -> None:
    launchers = [start_hanging(tmp_path / f"{number}.log") for number in range(2)]
    for launcher, victim in zip(launchers, ("launcher", "agent"), strict=True):
        assert launcher.stdout is not None
        seen = 0
        while seen < 2:
            seen += launcher.stdout.readline().startswith(b"pid ")
        agent = psutil.Process(launcher.pid).children()[0]
        family = [agent, *agent.children(recursive=True)]
        assert len(family) >= 3
        os.kill(launcher.pid if victim == "launcher" else agent.pid, signal.SIGKILL)
        assert left(family, within=60) == []
        assert launcher.wait(timeout=60) != 0
        launcher.stdout.close()


def start_hanging(log: Path) -> subprocess.Popen[bytes]:
    code = (
        "from pathlib import Path; from pipeline.train.launcher import launch\n"
        f"launch({MODULE!r}, ['hang'], nproc=2, grace=1, log=Path({str(log)!r}), on_line=print)"
    )
    return subprocess.Popen([sys.executable, "-uc", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


@pytest.fixture(autouse=True)
def mark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MARK, str(os.getpid()))


def started() -> list[psutil.Process]:
    """What a test of this process started and what still lives, whoever its parent is now."""
    return alive([one for one in psutil.process_iter() if variable(one, MARK) == str(os.getpid())])
