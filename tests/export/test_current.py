"""What leaves a run is what its present recipe gives, under the tokenizer that it was made with."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from pipeline.config import Recipe
from pipeline.curate import plan_as_read
from pipeline.errors import RunDirectoryError
from pipeline.export import FORMATS, export
from pipeline.pack import pack
from pipeline.recipe import load_recipe
from pipeline.run import RunDirectory
from tests.pack.conftest import Row, make_recipe, row

from .conftest import curated_run

PACKED = [name for name, (origin, _) in FORMATS.items() if origin == "packed"]
CURATED = [name for name, (origin, _) in FORMATS.items() if origin == "curated"]


def rows_with(address: str) -> dict[str, Sequence[Row]]:
    return {"train": [row(n, [("user", f"Who is {n}?"), ("assistant", f"Write to {address}.")]) for n in range(4)]}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """Curated and packed without redaction."""
    recipe = make_recipe(tmp_path_factory.mktemp("current"), seq_length=64, vocab_size=300)
    recipe = recipe.model_copy(update={"curate": recipe.curate.model_copy(update={"pii": None})})
    run = curated_run(recipe, rows_with("ada@example.org"))
    pack(run, recipe)
    return run


@pytest.fixture
def run(made: RunDirectory, tmp_path: Path) -> RunDirectory:
    """A copy of its own for each test."""
    shutil.copytree(made.root, tmp_path / "run")
    text = made.recipe_path.read_text(encoding="utf-8").replace(str(made.root), str(tmp_path / "run"))
    (tmp_path / "run/recipe.yaml").write_text(text, encoding="utf-8")
    return RunDirectory(tmp_path / "run")


def redacting(run: RunDirectory) -> Recipe:
    return load_recipe(run.recipe_path, ["curate.pii.operator=tag"])


def refused(run: RunDirectory, names: Sequence[str], out: Path, message: str) -> None:
    for name in names:
        with pytest.raises(RunDirectoryError, match=message):
            export(run, name, out)
    assert not out.exists()


def test_bins_of_rows_that_were_redacted_since_do_not_leave(run: RunDirectory, tmp_path: Path) -> None:
    curated_run(redacting(run), rows_with("<EMAIL>"))
    refused(
        run, PACKED, tmp_path / "out", r"packed is not what its recipe gives now: tokens: changed: (.|\n)* pack RECIPE"
    )
    for name in CURATED:
        export(run, name, tmp_path / name)
    assert "ada@" not in (tmp_path / "jsonl/training.jsonl").read_text(encoding="utf-8")
    pack(run, redacting(run))
    export(run, "megatron", tmp_path / "out")


def test_rows_whose_redaction_was_interrupted_do_not_leave(run: RunDirectory, tmp_path: Path) -> None:
    recipe = redacting(run)
    RunDirectory.open(recipe)  # as the command does, before its first stage
    refused(run, FORMATS, tmp_path / "out", r"gives now: documents: changed: .*pii(.|\n)*curate RECIPE")
    first = plan_as_read(run, recipe)[0]
    assert first is not None
    first.begin()
    refused(run, FORMATS, tmp_path / "out", r"gives now: documents: it was interrupted(.|\n)*curate RECIPE")


def test_bins_of_other_settings_do_not_leave_and_rows_do(run: RunDirectory, tmp_path: Path) -> None:
    RunDirectory.open(load_recipe(run.recipe_path, ["pack.seq_length=32"]))
    refused(run, PACKED, tmp_path / "out", r"packed: changed: seq_length 64 → 32(.|\n)*`curate-and-train pack RECIPE`")
    export(run, "jsonl", tmp_path / "rows")
    assert len((tmp_path / "rows/training.jsonl").read_text(encoding="utf-8").splitlines()) == 4


def test_a_template_that_was_changed_after_packing_is_refused(run: RunDirectory, tmp_path: Path) -> None:
    template = run.path("tokenizer/chat_template.jinja")
    template.write_text(template.read_text().replace("assistant\\n", "assistant:\\n"))
    refused(run, PACKED, tmp_path / "out", "chat_template.jinja is missing or damaged")  # its size tells
    template.write_text(template.read_text().replace("assistant:\\n", "tnatsissa\\n"))
    refused(run, PACKED, tmp_path / "out", "the chat template in this folder changed since the bins were made")


def test_sources_that_are_gone_are_not_missed(run: RunDirectory, tmp_path: Path) -> None:
    # The source is a module that was never there.
    for name in FORMATS:
        export(run, name, tmp_path / name)
        assert any(path.stat().st_size for path in (tmp_path / name).rglob("*") if path.is_file())
