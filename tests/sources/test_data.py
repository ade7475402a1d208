"""The data and recipes that we ship are what they say."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
import yaml

from pipeline.config import Recipe
from pipeline.ingest import Ingested, check_source, plan_parts, read_blocks, survey
from pipeline.recipe import load_recipe

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _in_the_clone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def notes() -> Ingested:
    recipe = load_recipe("data/tiny.yaml")
    source = next(source for source in recipe.sources if source.name == "notes")
    return read_blocks(survey(source, part_bytes=1 << 20).blocks, max_row_bytes=recipe.ingest.max_row_bytes)


def test_the_broken_notes_are_rejected_each_for_its_reason() -> None:
    rejected = notes().rejected.to_pylist()
    assert [(entry["id"], entry["rule"]) for entry in rejected] == [
        ("notes/broken.jsonl#0", "malformed_json"),
        ("notes/broken.jsonl#1", "missing_key"),
        ("notes/broken.jsonl#3", "empty_text"),
        ("notes/broken.jsonl#4", "invalid_utf8"),
        ("notes/broken.jsonl#5", "null_value"),
        ("notes/broken.jsonl#6", "wrong_type"),
        ("notes/broken.jsonl#7", "wrong_type"),
        ("notes/broken.jsonl#8", "malformed_json"),
    ]
    assert rejected[1]["evidence"] == "data/notes/broken.jsonl:2: no key 'output' (did you mean 'ouput'?)"


def test_the_notes_hold_what_their_readme_says() -> None:
    rows = notes().rows.to_pylist()
    shards = Counter(row["id"].partition("#")[0] for row in rows)
    assert shards == {
        "notes/broken.jsonl": 2,
        "notes/contacts.jsonl": 6,
        "notes/data-engineering.jsonl": 17,
        "notes/long.jsonl.gz": 1,
        "notes/python.jsonl": 16,
    }
    answers = [row["messages"][1]["content"] for row in rows]
    assert len(answers) - len(set(answers)) == 2  # the exact copies
    assert max(map(len, answers)) > 5_000_000
    assert sum(path.stat().st_size for path in Path("data/notes").iterdir()) < 100_000
    text = " ".join(answer for answer in answers if len(answer) < 10_000)
    for shown in (
        r"\S+@example\.com",
        r"\b219-09-9999\b",
        r"GB82 WEST",
        r"4111 1111 1111 1111\b",
        r"192\.0\.2\.",
        "2001:db8:",
    ):
        assert re.search(shown, text)


@pytest.mark.parametrize("path", ["data/demo.yaml", "data/tiny.yaml"])
def test_the_recipes_name_sources_that_are_there(path: str) -> None:
    recipe = load_recipe(path)
    for source in recipe.sources:
        check_source(source)
    surveys = [survey(source, part_bytes=recipe.ingest.part_bytes) for source in recipe.sources]
    assert len(plan_parts(surveys, recipe.ingest.part_bytes)) >= 4  # more parts than workers


def test_the_sources_in_their_folder_can_be_read() -> None:
    files = sorted(Path("sources").glob("*.yaml"))
    assert len(files) == 3
    base = load_recipe("data/tiny.yaml").model_dump()
    recipe = Recipe.model_validate({**base, "sources": [_yaml(file) for file in files]})
    assert [source.name for source in recipe.sources] == [file.stem for file in files]
    for source in recipe.sources:
        check_source(source)


def _yaml(path: Path) -> object:
    return yaml.safe_load(path.read_text(encoding="utf-8"))
