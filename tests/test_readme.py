"""The README's own commands, run on the tiny recipe."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.conftest import ROOT, TINY, FinishedRun, run_command

README = (ROOT / "README.md").read_text()


def _commands(program: str) -> list[list[str]]:
    """The commands of `program` in the README's fenced blocks, comments cut off."""
    blocks = re.findall(r"```bash\n(.*?)```", README, flags=re.S)
    lines = [line for block in blocks for line in block.splitlines()]
    return [shlex.split(line, comments=True) for line in lines if line.startswith(f"{program} ")]


COMMANDS = _commands("curate-and-train")


def test_the_readme_has_commands() -> None:
    verbs = {words[1] for words in COMMANDS}
    assert verbs >= {"validate", "plan", "run", "curate", "inspect", "report", "doctor"}


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(words[1:]))
def test_the_readme_s_command_runs(words: list[str], tiny_run: FinishedRun) -> None:
    """Each does what it says on a finished tiny run (so stages are reused, not run again)."""
    arguments = [str(TINY) if word == "data/demo.yaml" else word for word in words[1:]]
    arguments = [str(tiny_run.root) if word == "runs/demo" else word for word in arguments]
    arguments = [word.replace("train.steps=50", "train.steps=12") for word in arguments]
    if str(TINY) in arguments:
        arguments.append(f"run={tiny_run.root}")
    done = run_command(arguments)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert done.stdout.strip()


@pytest.mark.parametrize("target", ["setup", "demo", "test", "check", "bench", "lock"])
def test_make_targets_of_the_documentation_exist(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), flags=re.M)


def test_files_that_the_documentation_names_exist() -> None:
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} → {target}"


def test_the_readme_leads_to_every_page() -> None:
    for page in sorted((ROOT / "docs").glob("*.md")):
        assert f"](docs/{page.name})" in README, page.name


def test_the_first_screen_says_what_for_whom_how_and_what_comes_out() -> None:
    screen = "\n".join(README.splitlines()[:40])
    for needed in ("fine-tuned language model", "ML engineers", "make demo", "make test", "loss", "report"):
        assert needed in screen


def test_no_path_of_a_machine_stands_in_the_documentation() -> None:
    for page in [Path(ROOT / "README.md"), *sorted((ROOT / "docs").glob("*.md"))]:
        assert not re.search(r"/(home|root|Users|work)/", page.read_text()), page.name
