"""What a recipe names and is not there is found before anything runs, all of it at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline import preflight
from pipeline.config import Recipe
from pipeline.errors import PASSING, InputError, StageError

NOT_IMPORTED = "the module cannot be imported"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.jsonl").write_text('{"text": "x"}\n')
    (tmp_path / "own.py").write_text("def rows():\n    yield {'text': 'x'}\n\n\nnothings = rows\n")


def recipe(source: dict[str, Any] | None = None, **changes: Any) -> Recipe:
    origin = {"format": "text", "path": "notes.jsonl"} if source is None else source
    document: dict[str, Any] = {
        "run": "run",
        "sources": [{"name": "notes", "kind": "text", **origin}],
        "train": {"model": {"config": {"model_type": "llama"}}},
    }
    return Recipe.model_validate(document | changes)


def refused(wrong: Recipe) -> str:
    with pytest.raises(InputError) as caught:
        preflight.check(wrong)
    assert caught.value.exit_code == 2
    return str(caught.value)


@pytest.mark.parametrize(
    ("rows", "part"),
    [
        (None, "no file matches"),
        ("", "the evaluation set exam has no rows"),
        ('{"text": "x"}\n{"text": 1}\n', "1 of 2 rows of the evaluation set exam are malformed"),
    ],
)
def test_an_evaluation_set_that_nobody_could_look_for(tmp_path: Path, rows: str | None, part: str) -> None:
    if rows is not None:
        (tmp_path / "exam.jsonl").write_text(rows)
    files = [{"name": "exam", "kind": "text", "format": "text", "path": "exam.jsonl"}]
    assert part in refused(recipe(curate={"decontaminate": {"files": files}}))
    (tmp_path / "exam.jsonl").write_text('{"text": "x"}\n')
    preflight.check(recipe(curate={"decontaminate": {"files": files}}))


@pytest.mark.parametrize(
    "right",
    [
        recipe(),
        recipe({"format": "text", "path": "*.jsonl"}),
        recipe({"target": "sources.python_stdlib:functions"}),
        recipe({"target": "own:rows"}),
        recipe(train={"model": {"path": "organisation/model"}}, pack={"tokenizer": "organisation/model"}),
        recipe(train={"model": {"path": "gpt2"}}, pack={"tokenizer": "gpt2"}),
        recipe(train={"model": {"path": "."}}),  # a folder without a tokenizer
    ],
)
def test_what_is_there_or_may_be_on_a_hub_passes_and_nothing_is_written(right: Recipe, tmp_path: Path) -> None:
    preflight.check(right)
    assert {path.name for path in tmp_path.iterdir()} <= {"notes.jsonl", "own.py", "__pycache__"}


@pytest.mark.parametrize(
    ("wrong", "part"),
    [
        (
            recipe({"format": "text", "path": "note.jsonl"}),
            "source notes: note.jsonl: no file matches (did you mean 'notes.jsonl'?)",
        ),
        (recipe({"format": "text", "path": "x/*.gz"}), "source notes: x/*.gz: no file matches"),
        (
            recipe({"target": "no_such_module:rows"}),
            f"target: no_such_module:rows: {NOT_IMPORTED}",
        ),
        (
            recipe({"target": "no.such.module:rows"}),
            f"target: no.such.module:rows: {NOT_IMPORTED}",
        ),
        (recipe({"target": "own:nothing"}), "module own has no function 'nothing' (did you mean 'nothings'?)"),
        (recipe({"format": "completion", "path": "notes.jsonl"}), "format completion holds rows of kind pair"),
        (recipe(train={"model": {"path": "./model"}}), "train.model.path: there is no folder ./model"),
        (recipe(train={"model": {"path": "gpt2"}}), "pack.tokenizer: the model gpt2 has its own tokenizer"),
        (recipe(pack={"tokenizer": "a/b/c"}), "pack.tokenizer: there is no folder a/b/c"),
        (recipe(pack={"template": "own.jinja"}), "pack.template: own.jinja: the chat template cannot be read"),
    ],
)
def test_what_is_not_there_is_named(wrong: Recipe, part: str) -> None:
    assert part in refused(wrong)


def test_rows_that_cannot_be_packed_are_refused_where_they_would_be() -> None:
    notes = {"name": "notes", "kind": "retrieval", "format": "retrieval", "path": "notes.jsonl"}
    both = Recipe.model_validate({**recipe().model_dump(), "sources": [notes]})
    preflight.check(both)  # they can be curated, and exported
    with pytest.raises(InputError, match="source notes: rows of kind retrieval are curated and exported, but not"):
        preflight.check(both, packs=True)


def test_every_problem_is_in_one_message() -> None:
    message = refused(
        recipe({"target": "no_such:rows"}, train={"model": {"path": "/no/model"}}, pack={"tokenizer": "/no/tokenizer"})
    )
    for part in ("no_such", "/no/model", "/no/tokenizer"):
        assert part in message


@pytest.mark.parametrize(
    "origin",
    [{"path": "http://127.0.0.1:9/x.jsonl"}, {"path": "http://127.0.0.1:9/*.jsonl"}, {"dataset": "org/name"}],
)
def test_a_server_that_does_not_answer_is_one_message_among_the_others(
    origin: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("aiohttp", reason="the extra `remote` is not installed")
    _hub_at("http://127.0.0.1:9", monkeypatch)  # discard: nothing listens there
    with pytest.raises(StageError, match="the server cannot be reached") as caught:
        preflight.check(recipe({"format": "text", **origin}))
    assert "check the network" in str(caught.value)
    cause = caught.value.__cause__
    assert isinstance(cause, OSError)
    assert cause.errno in PASSING  # a flow tries again
    message = refused(recipe({"format": "text", **origin}, pack={"tokenizer": "./none"}))
    assert "the server cannot be reached" in message
    assert "there is no folder ./none" in message


def test_the_hub_is_not_asked_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    _hub_at("http://127.0.0.1:9", monkeypatch)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    message = refused(recipe({"format": "text", "dataset": "org/name"}))
    assert "it is on the hub, which is not asked because HF_HUB_OFFLINE is set" in message


def test_a_broken_card_of_a_dataset_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set/README.md").write_text("---\nconfigs: [a\nb: c\n---\n")
    (tmp_path / "set/train.jsonl").write_text('{"text": "x"}\n')
    message = refused(recipe({"format": "text", "dataset": "set"}))
    assert "set/README.md:3: the dataset's card is not YAML" in message


def _hub_at(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants, hf_api

    for module in (constants, hf_api):
        monkeypatch.setattr(module, "ENDPOINT", url, raising=False)


@pytest.mark.parametrize("template", ["default", "chatml", "Question: {input} About: {doc} Answer: {output}"])
def test_what_is_to_be_cut_first_must_exist(template: str) -> None:
    pack = {"template": template, "truncation_field": "user"}
    preflight.check(recipe(pack=pack))
    wrong = refused(recipe(pack={**pack, "truncation_field": ["user", "usr"]}))
    assert "pack.truncation_field: usr: there is nothing called 'usr' to cut first (did you mean 'user'?)" in wrong
    if "{doc}" in template:
        preflight.check(recipe(pack={**pack, "truncation_field": "doc"}))
    else:
        assert "nothing called 'doc'" in refused(recipe(pack={**pack, "truncation_field": "doc"}))
