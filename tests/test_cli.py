"""The command: exit codes, messages without tracebacks, and nothing written where nothing was asked."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline import __version__
from pipeline.cli import main
from pipeline.cli.boundary import exit_code
from pipeline.cli.tables import print_table, printable
from pipeline.errors import (
    InputError,
    MachineError,
    Preempted,
    ProjectError,
    RecipeError,
    RunDirectoryError,
    StageError,
)
from tests.conftest import ROOT, TINY, FinishedRun, command, run_command

VERBS = ("run", "curate", "pack", "train", "evaluate", "promote", "validate", "plan")


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    (tmp_path / "notes.jsonl").write_text('{"text": "x"}\n')
    path = tmp_path / "recipe.yaml"
    document = {
        "run": str(tmp_path / "run"),
        "sources": [{"name": "notes", "kind": "text", "format": "text", "path": str(tmp_path / "notes.jsonl")}],
        "train": {"model": {"config": {"model_type": "llama"}}},
    }
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return path


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
import sys, time
from argparse import Namespace
from pathlib import Path
from pipeline.cli.boundary import exit_code

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


# --- the command line


def test_help_and_version_answer_at_once() -> None:
    for flag in ("--help", "--version"):
        best = min(_seconds(command(flag)) for _ in range(3))
        assert best < 0.5


def _seconds(line: list[str]) -> float:
    begun = time.monotonic()
    subprocess.run(line, check=True, capture_output=True)
    return time.monotonic() - begun


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as done:
        main(["--version"])
    assert done.value.code == 0
    assert capsys.readouterr().out == f"curate-and-train {__version__}\n"


@pytest.mark.parametrize(
    "line", [[], ["tran", "x"], ["run"], ["inspect", "x"], ["inspect", "x", "--dropped", "-n", "0"]]
)
def test_a_wrong_command_line_is_code_2(line: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as done:
        main(line)
    assert done.value.code == 2
    assert "usage: curate-and-train" in capsys.readouterr().err


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_shows_all_problems_of_a_recipe_and_writes_nothing(
    verb: str, recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(recipe.parent.rglob("*"))
    assert main([verb, str(recipe), "train.step=5", "curat={}"]) == 2
    printed = capsys.readouterr()
    assert "train.step: unknown key (did you mean 'steps'?)" in printed.err
    assert "curat: unknown key (did you mean 'curate'?)" in printed.err
    assert "Traceback" not in printed.err
    assert printed.out == ""
    assert sorted(recipe.parent.rglob("*")) == before


@pytest.mark.parametrize("verb", ["run", "validate", "plan"])
def test_a_source_that_matches_no_file_is_found_before_anything_is_written(
    verb: str, recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([verb, str(recipe), "sources.0.path=no/*.jsonl"]) == 2
    assert "source notes: no file matches no/*.jsonl" in capsys.readouterr().err
    assert not (recipe.parent / "run").exists()


def test_validate_prints_the_recipe_with_its_defaults(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", str(recipe), "seed=3"]) == 0
    printed = capsys.readouterr().out
    document: dict[str, Any] = yaml.safe_load(printed)
    assert document["seed"] == 3
    assert document["train"]["steps"] == 200  # a default
    assert "fingerprint: " in printed.splitlines()[0]
    recipe.write_text(printed, encoding="utf-8")
    assert main(["validate", str(recipe)]) == 0
    assert capsys.readouterr().out == printed


def test_a_directory_that_cannot_be_made_is_one_message(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(recipe), "run=/proc/none/run"]) == 2
    assert "error: the run directory cannot be made" in capsys.readouterr().err


def test_another_recipes_directory_is_refused(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (recipe.parent / "run").mkdir()
    (recipe.parent / "run" / "thesis.tex").write_text("x")
    for verb in ("run", "plan", "pack"):
        assert main([verb, str(recipe)]) == 2
        assert "holds something else" in capsys.readouterr().err
    assert [path.name for path in (recipe.parent / "run").iterdir()] == ["thesis.tex"]


# --- tables


def test_without_a_terminal_a_table_is_tab_separated(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("id", "value"), [("a/b#1", 0.123456), ("tab\there\nand there", None)])
    assert capsys.readouterr().out == "id\tvalue\na/b#1\t0.1235\ntab here and there\t\n"


def test_a_rows_text_cannot_drive_the_terminal() -> None:
    assert printable("red \x1b[31m\x07 and\n\ta tab") == "red \\x1b[31m\\x07 and\n\ta tab"


# --- the stages, on the tiny recipe


def test_plan_of_a_new_run_says_what_would_run_and_makes_nothing(tmp_path: Path) -> None:
    done = run_command(["plan", str(TINY), f"run={tmp_path / 'run'}"])
    assert done.returncode == 0, done.stderr
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert rows[0] == ["stage", "action", "why"]
    assert [row[:2] for row in rows[1:]] == [
        ["curate", "run"],
        *[[name, "wait"] for name in ("pack", "train", "evaluate", "promote")],
    ]
    assert not (tmp_path / "run").exists()


def test_a_stage_whose_upstream_is_missing_names_the_command(tmp_path: Path) -> None:
    done = run_command(["train", str(TINY), f"run={tmp_path / 'run'}"])
    assert done.returncode == 2
    assert "error: train needs the output of curate, which must run first" in done.stderr
    assert "run `curate-and-train curate RECIPE` first" in done.stderr
    assert not (tmp_path / "run").exists()


def test_plan_of_a_finished_run_reuses_every_stage(tiny_run: FinishedRun) -> None:
    assert _actions(tiny_run) == dict.fromkeys(("curate", "pack", "train", "evaluate", "promote"), "reuse")


def test_plan_says_why_and_from_where_on(tiny_run: FinishedRun) -> None:
    actions = _actions(tiny_run, "train.steps=13")
    assert [actions[name] for name in ("curate", "pack", "train")] == ["reuse", "reuse", "run"]
    assert "reuse" not in (actions["evaluate"], actions["promote"])  # what they read will be made anew
    done = run_command(["plan", str(TINY), f"run={tiny_run.root}", "train.steps=13"])
    assert "12 → 13" in done.stdout


def test_a_stage_whose_upstream_is_another_recipes_is_refused(tiny_run: FinishedRun) -> None:
    done = run_command(["train", str(TINY), f"run={tiny_run.root}", "pack.seq_length=64"])
    assert done.returncode == 2
    assert "train needs the output of pack, which must run first" in done.stderr


def test_a_finished_stage_is_done_at_once(tiny_run: FinishedRun) -> None:
    done = run_command(["curate", str(TINY), f"run={tiny_run.root}"])
    assert done.returncode == 0, done.stderr
    assert "kept" in done.stdout


def test_inspect_shows_drops_rows_and_tokens(tiny_run: FinishedRun) -> None:
    dropped = run_command(["inspect", str(tiny_run.root), "--dropped", "-n", "5"])
    assert dropped.returncode == 0, dropped.stderr
    ledger = dropped.stdout.split("\n\n")[1].splitlines()
    assert ledger[0].split("\t") == ["id", "stage", "rule", "value", "threshold", "evidence"]
    first = ledger[1].split("\t")
    row = run_command(["inspect", str(tiny_run.root), "--row", first[0]])
    assert row.returncode == 0, row.stderr
    assert "not kept" in row.stdout
    assert first[2] in row.stdout
    tokens = run_command(["inspect", str(tiny_run.root), "--tokens", "-n", "1"])
    assert tokens.returncode == 0, tokens.stderr
    assert "⟦" in tokens.stdout  # where a target begins


def test_report_writes_the_page_again(tiny_run: FinishedRun) -> None:
    page = tiny_run.root / "report.html"
    before = page.read_bytes()
    page.unlink()
    done = run_command(["report", str(tiny_run.root)])
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(page)
    assert len(page.read_bytes()) == len(before)


def _actions(run: FinishedRun, *overrides: str) -> dict[str, str]:
    done = run_command(["plan", str(TINY), f"run={run.root}", *overrides])
    assert done.returncode == 0, done.stderr
    rows = [line.split("\t") for line in done.stdout.splitlines()[1:]]
    return {row[0]: row[1] for row in rows}


# --- doctor


def test_doctor_passes_where_the_tests_pass_and_names_no_secret(tmp_path: Path) -> None:
    environment = {**os.environ, "PREFECT_API_URL": "http://user:secret@127.0.0.1:9/api"}
    done = subprocess.run(
        command("doctor", "--json"), cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    report = json.loads(done.stdout)
    assert done.returncode == 0, [check for check in report["checks"] if check["state"] == "fail"]
    assert report["passed"] is True
    found = {check["name"]: check for check in report["checks"]}
    assert {"python", "package torch", "cores", "memory", "disk", "write access", "torch", "encoding"} <= set(found)
    assert found["Prefect API"]["state"] == "info"
    assert "secret" not in done.stdout
