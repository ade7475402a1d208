"""From an exception or a signal to a message and an exit code."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from argparse import Namespace
from pathlib import Path

import pytest

from pipeline.cli.boundary import exit_code
from pipeline.errors import (
    InputError,
    MachineError,
    Preempted,
    ProjectError,
    RecipeError,
    RunDirectoryError,
    StageError,
)


def ends_with(error: BaseException) -> int:
    def fail(_: Namespace) -> int:
        raise error

    return exit_code(fail, Namespace())


# --- exit codes


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RecipeError("r"), 2),
        (InputError("i"), 2),
        (RunDirectoryError("d"), 2),
        (MachineError("m"), 2),
        (StageError("s"), 1),
        (Preempted("p"), 75),
    ],
)
def test_an_error_is_its_message_and_its_code(
    error: ProjectError, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    error.where, error.mend = "here", "do this"
    assert ends_with(error) == code
    printed = capsys.readouterr()
    assert printed.err == f"error: {error.what}\n  where: here\n  mend:  do this\n"
    assert printed.out == ""


def test_a_full_disk_anywhere_is_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    error = RuntimeError("cannot save")
    error.__cause__ = OSError(errno.ENOSPC, "No space left on device")
    assert ends_with(error) == 2
    assert "error: the disk is full" in capsys.readouterr().err


def test_a_defect_is_one_line_and_code_1_and_debug_shows_where(capsys: pytest.CaptureFixture[str]) -> None:
    def fail(_: Namespace) -> int:
        raise KeyError("ada@example.org")

    assert exit_code(fail, Namespace()) == 1
    brief = capsys.readouterr().err
    assert brief.splitlines()[0] == "error: KeyError: '<EMAIL>'"
    assert "Traceback" not in brief
    assert exit_code(fail, Namespace(), debug=True) == 1
    full = capsys.readouterr().err
    assert "in fail\n" in full
    assert "ada@" not in full


_SIGNALLED = """
import signal, sys, time
from argparse import Namespace
from pathlib import Path
from pipeline.cli.boundary import exit_code

signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it

def command(_):
    try:
        print("ready", flush=True)
        time.sleep(60)
    finally:
        time.sleep(0.5)
        Path(sys.argv[1]).write_text("cleaned up")

sys.exit(exit_code(command, Namespace()))
"""


@pytest.mark.parametrize(
    ("number", "code", "word"), [(signal.SIGTERM, 75, "terminated"), (signal.SIGINT, 130, "interrupted")]
)
def test_a_signal_cleans_up_and_says_how_to_go_on(tmp_path: Path, number: signal.Signals, code: int, word: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _SIGNALLED, str(tmp_path / "mark")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    if number == signal.SIGTERM:
        time.sleep(0.2)
        process.send_signal(number)  # a second one does not cut the clean-up short
    _, printed = process.communicate(timeout=30)
    assert process.returncode == code
    assert printed == f"{word}: finished parts are kept; the same command goes on from there\n"
    assert (tmp_path / "mark").read_text() == "cleaned up"


def test_a_reader_that_leaves_is_no_error(tmp_path: Path) -> None:
    script = (
        "import sys; from argparse import Namespace; from pipeline.cli.boundary import exit_code\n"
        "def command(_):\n for number in range(100_000): print(number)\n return 0\n"
        "sys.exit(exit_code(command, Namespace()))"
    )
    with (tmp_path / "err").open("wb") as errors:
        writer = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=errors)
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"0\n"
        writer.stdout.close()
        assert writer.wait(30) == 141
    assert (tmp_path / "err").read_bytes() == b""


def test_a_terminal_that_is_not_utf8_gets_escapes(tmp_path: Path) -> None:
    script = (
        "import sys; from argparse import Namespace; from pipeline.cli.boundary import exit_code\n"
        "def command(_):\n print('1 → 2'); return 0\n"
        "sys.exit(exit_code(command, Namespace()))"
    )
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == b"1 \\u2192 2\n"
