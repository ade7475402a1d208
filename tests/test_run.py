"""A run directory keeps what is whole, drops what is not, and says why a stage runs again."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.atomic import TEMPORARY, write_text
from pipeline.config import Recipe
from pipeline.errors import RunDirectoryError
from pipeline.run import Manifest, Rows, RunDirectory, Stage

SOURCE = {"name": "notes", "kind": "text", "format": "text", "path": "notes.jsonl"}


def recipe_at(root: Path, **changes: Any) -> Recipe:
    document = {"run": str(root), "sources": [SOURCE], "train": {"model": {"config": {"model_type": "llama"}}}}
    return Recipe.model_validate(document | changes)


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return RunDirectory.open(recipe_at(tmp_path / "run"))


def stage_of(
    run: RunDirectory, *, version: int = 1, config: Mapping[str, Any] | None = None, inputs: str = "a"
) -> Stage:
    return Stage(
        run=run,
        name="letters",
        version=version,
        config=config or {"case": "upper", "rules": {"least": 1}},
        inputs={"shards": inputs},
        folders=("letters", "keys"),
    )


PARTS = ("part-00000", "part-00001", "part-00002")


def make_part(stage: Stage, part: str) -> None:
    """Write a part of two files and record it."""
    files = {f"letters/{part}.txt": 2, f"keys/{part}.txt": 0}
    for name in files:
        write_text(stage.run.path(name), f"{stage.config['case']} {name}\n")
    stage.commit(part, files, {"bytes": 7})


def make(stage: Stage) -> list[str]:
    """Run the stage as every stage does; return the parts that had to be made."""
    finished = stage.begin()
    missing = [part for part in PARTS if part not in finished]
    for part in missing:
        make_part(stage, part)
    stage.finish(rows=Rows(in_=9, kept=6, dropped=2, rejected=1))
    return missing


def content_of(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


# --- reuse


def test_a_finished_stage_is_reused(run: RunDirectory) -> None:
    assert make(stage_of(run)) == list(PARTS)
    manifest = stage_of(run).manifest()
    assert manifest is not None
    assert stage_of(run).why() is None
    assert [part["name"] for part in manifest.parts][:2] == ["letters/part-00000.txt", "keys/part-00000.txt"]
    assert manifest.rows == {"in": 9, "kept": 6, "dropped": 2, "rejected": 1}


def test_each_folder_has_a_manifest_of_its_own_files(run: RunDirectory) -> None:
    make(stage_of(run))
    keys = Manifest.read(run.path("keys"))
    assert keys is not None
    assert [part["name"] for part in keys.parts] == [f"keys/{part}.txt" for part in PARTS]


def test_equal_files_are_equal_content_whatever_made_them(tmp_path: Path) -> None:
    contents = []
    for name, config in (("one", {"case": "upper", "x": 1}), ("two", {"case": "upper", "x": 2})):
        stage = stage_of(RunDirectory.open(recipe_at(tmp_path / name)), config=config)
        make(stage)
        manifest = stage.manifest()
        assert manifest is not None
        contents.append((manifest.fingerprint, manifest.content))
    assert contents[0][0] != contents[1][0]
    assert contents[0][1] == contents[1][1]


def test_an_unmade_stage_has_not_run_and_asking_writes_nothing(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "never")
    assert stage_of(run).why() == "it has not run"
    assert stage_of(run).manifest() is None
    assert not run.root.exists()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"version": 2}, "the stage's version changed (1 → 2)"),
        ({"config": {"case": "lower", "rules": {"least": 1}}}, "changed: case upper → lower"),
        ({"config": {"case": "upper", "rules": {"least": 3}}}, "changed: rules.least 1 → 3"),
        ({"config": {"case": "upper", "rules": {"least": 1}, "new": 0}}, "changed: new None → 0"),
        ({"inputs": "b"}, "changed: inputs.shards a → b"),
    ],
)
def test_what_changed_is_named(run: RunDirectory, change: dict[str, Any], why: str) -> None:
    make(stage_of(run))
    changed = stage_of(run, **change)
    assert changed.why() == why
    assert make(changed) == list(PARTS)  # nothing of the other configuration is taken over
    assert changed.why() is None


def test_a_file_that_lost_bytes_makes_the_stage_run_again(run: RunDirectory) -> None:
    make(stage_of(run))
    run.path("keys/part-00001.txt").write_text("x")
    assert stage_of(run).why() == "keys/part-00001.txt is missing or damaged"


def test_a_missing_second_manifest_makes_the_stage_run_again(run: RunDirectory) -> None:
    make(stage_of(run))
    run.path("keys/_manifest.json").unlink()
    assert stage_of(run).why() == "keys is incomplete"


def test_a_damaged_manifest_says_what_to_delete(run: RunDirectory) -> None:
    make(stage_of(run))
    run.path("letters/_manifest.json").write_text("{")
    with pytest.raises(RunDirectoryError, match="delete that folder and run the same command again"):
        stage_of(run).why()


def without_blake3(file: Path) -> None:
    """Write it as versions did that took BLAKE2b of files."""
    file.write_text(file.read_text().replace('"blake3"', '"blake2b"'))


def test_the_manifest_of_an_earlier_version_says_what_to_delete(run: RunDirectory) -> None:
    make(stage_of(run))
    without_blake3(run.path("letters/_manifest.json"))
    with pytest.raises(RunDirectoryError, match=r"(?s)earlier versions.*delete that folder and run"):
        stage_of(run).why()


# --- resume


def test_parts_that_an_earlier_version_finished_are_made_again(run: RunDirectory) -> None:
    stage = stage_of(run)
    stage.begin()
    for part in PARTS[:2]:
        make_part(stage, part)
    without_blake3(run.path(f"letters/_parts/{PARTS[0]}.json"))
    assert list(stage_of(run).begin()) == [PARTS[1]]


@pytest.mark.parametrize("done", range(len(PARTS) + 1))
def test_an_interrupted_stage_repeats_only_what_is_missing_and_ends_with_the_same_bytes(
    tmp_path: Path, done: int
) -> None:
    whole = RunDirectory.open(recipe_at(tmp_path / "whole"))
    make(stage_of(whole))
    cut = RunDirectory.open(recipe_at(tmp_path / "cut"))
    stage = stage_of(cut)
    assert stage.begin() == {}
    for part in reversed(PARTS[:done]):  # the order of work does not matter
        make_part(stage, part)
    assert stage.why() == "it was interrupted"
    assert make(stage_of(cut)) == list(PARTS[done:])
    assert content_of(cut.path("letters")) == content_of(whole.path("letters"))
    assert content_of(cut.path("keys")) == content_of(whole.path("keys"))


@pytest.mark.parametrize("damage", ["delete", "shorten", "change"])
def test_a_part_that_is_not_whole_is_made_again(run: RunDirectory, damage: str) -> None:
    stage = stage_of(run)
    stage.begin()
    for part in PARTS:
        make_part(stage, part)
    victim = run.path("keys/part-00001.txt")
    text = victim.read_text(encoding="utf-8")
    if damage == "delete":
        victim.unlink()
    else:
        victim.write_text(text[:-1] if damage == "shorten" else text.swapcase(), encoding="utf-8")
    assert make(stage_of(run)) == [PARTS[1]]
    assert victim.read_text(encoding="utf-8") == text


def test_files_without_a_record_do_not_count(run: RunDirectory) -> None:
    stage = stage_of(run)
    stage.begin()
    write_text(run.path("letters/part-00000.txt"), "the record would have come next")
    assert make(stage_of(run)) == list(PARTS)


def test_an_interrupted_stage_of_another_configuration_is_not_resumed(run: RunDirectory) -> None:
    stage = stage_of(run)
    stage.begin()
    make_part(stage, PARTS[0])
    assert make(stage_of(run, config={"case": "lower"})) == list(PARTS)


def test_a_run_killed_while_it_starts_again_is_interrupted_not_reused(run: RunDirectory) -> None:
    make(stage_of(run))
    run.path("letters/part-00002.txt").unlink()
    stage_of(run).begin()
    assert stage_of(run).why() == "it was interrupted"


def test_what_a_killed_run_left_half_written_is_removed(run: RunDirectory) -> None:
    stage = stage_of(run)
    stage.begin()
    left = [
        run.path(f"letters/{TEMPORARY}part-00000.txt-1-abcd"),
        run.path(f"letters/deep/er/{TEMPORARY}x"),
        run.path(f"keys/{TEMPORARY}folder"),
    ]
    for path in left[:2]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("half")
    left[2].mkdir(parents=True)
    stage_of(run).begin()
    assert not [path for path in left if path.exists()]


# --- conservation


@given(*[st.integers(0, 5)] * 4)
def test_rows_are_neither_lost_nor_made(in_: int, kept: int, dropped: int, rejected: int) -> None:
    rows = Rows(in_=in_, kept=kept, dropped=dropped, rejected=rejected)
    assert Rows.from_json(rows.to_json()) == rows
    if in_ == kept + dropped + rejected:
        rows.check("letters")
    else:
        with pytest.raises(RunDirectoryError, match=f"letters: {in_} rows in, but"):
            rows.check("letters")


def test_a_stage_that_lost_a_row_does_not_finish(run: RunDirectory) -> None:
    stage = stage_of(run)
    stage.begin()
    with pytest.raises(RunDirectoryError, match="3 rows in, but 2 kept"):
        stage.finish(rows=Rows(in_=3, kept=2, dropped=0))
    assert stage.manifest() is None


# --- the directory and its owner


def test_the_recipe_is_in_the_directory_and_reads_back(run: RunDirectory) -> None:
    again, recipe = RunDirectory.existing(run.root)
    assert again.root == run.root
    assert recipe == recipe_at(run.root)
    assert run.recipe_path.read_text(encoding="utf-8").startswith(f"# fingerprint: {recipe.fingerprint()}\n")


def test_a_recipe_with_other_settings_may_reopen_it(run: RunDirectory) -> None:
    RunDirectory.open(recipe_at(run.root, seed=7))
    assert RunDirectory.existing(run.root)[1].seed == 7


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": "other"}, r"its sources are notes$"),
        ({"path": "b"}, r"its sources differ in notes.path notes.jsonl → b$"),
    ],
)
def test_another_recipes_directory_is_refused_and_left_as_it_is(
    run: RunDirectory, change: dict[str, str], said: str
) -> None:
    make(stage_of(run))
    before = content_of(run.root)
    with pytest.raises(RunDirectoryError) as refused:
        RunDirectory.open(recipe_at(run.root, sources=[{**SOURCE, **change}]))
    assert re.search(f"belongs to another recipe: {said}", refused.value.what)
    assert content_of(run.root) == before


def test_sources_may_be_corrected_until_a_stage_has_finished(run: RunDirectory) -> None:
    stage = stage_of(run)
    stage.begin()
    make_part(stage, PARTS[0])
    RunDirectory.open(recipe_at(run.root, sources=[{**SOURCE, "path": "b"}]))
    assert RunDirectory.existing(run.root)[1].sources[0].path == "b"


def test_a_folder_with_something_else_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(RunDirectoryError, match=r"holds something else \(thesis.tex"):
        RunDirectory.open(recipe_at(tmp_path))
    assert content_of(tmp_path) == {"thesis.tex": b"years of work"}


def test_a_file_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("x")
    with pytest.raises(RunDirectoryError, match="is a file"):
        RunDirectory.open(recipe_at(tmp_path / "run"))


def test_a_folder_that_is_no_run_cannot_be_looked_into(tmp_path: Path) -> None:
    with pytest.raises(RunDirectoryError, match="not a run directory"):
        RunDirectory.existing(tmp_path)


# --- the lock

_HOLD = """
import sys, time
from pathlib import Path
from pipeline.run import RunDirectory
with RunDirectory(Path(sys.argv[1])).lock(sys.argv[2]):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize(
    ("name", "shown"), [("", "process {pid} on "), ("flow run a-b", r"flow run a-b \(process {pid} on ")]
)
def test_a_held_directory_is_refused_with_the_holders_name_until_the_holder_dies(
    run: RunDirectory, name: str, shown: str
) -> None:
    holder = subprocess.Popen([sys.executable, "-c", _HOLD, str(run.root), name], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(RunDirectoryError, match=f"in use by {shown.format(pid=holder.pid)}"), run.lock():
            pass
    finally:
        holder.kill()  # however it ends
        holder.wait()
    deadline = time.monotonic() + 60
    while True:
        try:
            with run.lock():
                break
        except RunDirectoryError:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_the_lock_is_free_again_after_an_error(run: RunDirectory) -> None:
    with pytest.raises(ZeroDivisionError), run.lock():
        _ = 1 / 0
    with run.lock():
        pass
