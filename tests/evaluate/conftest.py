"""A small run that is ready to be evaluated, made once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pipeline.config import Recipe
from pipeline.run import RunDirectory
from tests.evaluate.runs import make_run


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunDirectory, Recipe]:
    return make_run(tmp_path_factory.mktemp("made") / "run")


@pytest.fixture
def run(made: tuple[RunDirectory, Recipe], tmp_path: Path) -> RunDirectory:
    """A copy of its own for each test."""
    shutil.copytree(made[0].root, tmp_path / "runs/one")
    return RunDirectory(tmp_path / "runs/one")


@pytest.fixture
def recipe(made: tuple[RunDirectory, Recipe], run: RunDirectory) -> Recipe:
    return made[1].model_copy(update={"run": str(run.root)})
