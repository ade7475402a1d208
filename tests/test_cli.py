"""The command: one message a mistake, no traceback, and nothing written where nothing was asked."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline import __version__
from pipeline.cli import main
from tests.conftest import TINY, FinishedRun, command, run_command

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


# --- the command line


@pytest.mark.parametrize("flag", ["--help", "--version"])
def test_help_and_version_import_nothing_heavy(flag: str) -> None:
    """So they answer at once; how fast is the machine's."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *command(flag)], check=True, capture_output=True, text=True
    )
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "pipeline" in imported
    assert not imported & {"dask", "distributed", "numba", "numpy", "prefect", "pyarrow", "pydantic", "torch"}


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
    assert "source notes: no/*.jsonl: no file matches" in capsys.readouterr().err
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


# --- the stages, on the tiny recipe


def test_plan_of_a_new_run_says_what_would_run_and_makes_nothing(tmp_path: Path) -> None:
    done = run_command(["plan", str(TINY), f"run={tmp_path / 'run'}"])
    assert done.returncode == 0, done.stderr
    stages, training = done.stdout.split("\n\n")
    rows = [line.split("\t") for line in stages.splitlines()]
    assert rows[0] == ["stage", "action", "why"]
    assert [row[:2] for row in rows[1:]] == [
        ["curate", "run"],
        *[[name, "wait"] for name in ("pack", "train", "evaluate", "promote")],
    ]
    assert {"model", "trainable", "data", "memory"} <= {line.split("\t")[0] for line in training.splitlines()}
    assert not (tmp_path / "run").exists()


def test_a_stage_whose_upstream_is_missing_names_the_command(tmp_path: Path) -> None:
    done = run_command(["train", str(TINY), f"run={tmp_path / 'run'}"])
    assert done.returncode == 2
    assert "error: train needs the output of curate, which must run first" in done.stderr
    assert "run `curate-and-train curate RECIPE` first" in done.stderr
    assert not (tmp_path / "run").exists()


def test_without_train_a_run_ends_with_the_bins(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(
        "".join(f'{{"text": "Row {n} is about the number {n * n} and no other."}}\n' for n in range(40))
    )
    path, run = tmp_path / "curate.yaml", tmp_path / "run"
    path.write_text(f"""
run: {run}
sources: [{{name: rows, kind: text, format: text, path: "{tmp_path}/*.jsonl"}}]
curate: {{rules: {{preset: none}}, dedup: {{fuzzy: null}}}}
pack: {{vocab_size: 300, seq_length: 64}}
""")
    done = run_command(["run", str(path)])
    assert done.returncode == 0, done.stderr
    assert "40 rows in = 40 kept + 0 dropped + 0 rejected" in done.stdout
    assert (run / "report.html").exists()
    assert not (run / "checkpoints").exists()
    assert [line.split("\t")[0] for line in run_command(["plan", str(path)]).stdout.splitlines()] == [
        "stage",
        "curate",
        "pack",
    ]
    for verb in ("train", "evaluate", "promote"):
        refused = run_command([verb, str(path)])
        assert refused.returncode == 2
        assert "the recipe has no section `train`" in refused.stderr


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
    rows = [line.split("\t") for line in done.stdout.split("\n\n")[0].splitlines()[1:]]
    return {row[0]: row[1] for row in rows}
