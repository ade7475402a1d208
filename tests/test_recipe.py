"""A recipe is right as a whole, or every problem of it is one message."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.config import Recipe
from pipeline.errors import RecipeError
from pipeline.recipe import dump_recipe, load_recipe
from tests.conftest import TINY
from tests.recipe_keys import KEYS_END, KEYS_START, key_tables

ROOT = Path(__file__).resolve().parents[1]

SMALL: dict[str, Any] = {
    "run": "runs/x",
    "sources": [{"name": "notes", "kind": "text", "format": "text", "path": "notes.jsonl"}],
    "train": {"model": {"config": {"model_type": "llama"}}},
}

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def _write(document: Any = SMALL, name: str = "recipe.yaml") -> Path:
        path = tmp_path / name
        path.write_text(document if isinstance(document, str) else yaml.safe_dump(document), encoding="utf-8")
        return path

    return _write


def refused(path: Path, *overrides: str) -> str:
    with pytest.raises(RecipeError) as caught:
        load_recipe(path, overrides)
    assert caught.value.exit_code == 2
    return str(caught.value)


# --- properties


@given(st.permutations(list(SMALL)))
def test_the_order_of_keys_does_not_change_the_fingerprint(order: list[str]) -> None:
    shuffled = Recipe.model_validate({key: SMALL[key] for key in order})
    assert shuffled.fingerprint() == Recipe.model_validate(SMALL).fingerprint()


def test_a_dumped_recipe_reads_back_as_itself(write: Write) -> None:
    recipe = load_recipe(write(), ["train.steps=7", "curate.pii=null", "curate.rules.word_count={min: 3}"])
    again = load_recipe(write(dump_recipe(recipe), "again.yaml"))
    assert again == recipe
    assert again.fingerprint() == recipe.fingerprint()


def test_writing_a_default_out_does_not_change_the_fingerprint(write: Write) -> None:
    assert load_recipe(write(), ["train.steps=200"]).fingerprint() == load_recipe(write()).fingerprint()


@pytest.mark.parametrize("override", ["run=elsewhere", "cluster.workers=1"])
def test_where_and_on_what_it_runs_is_not_in_the_fingerprint(write: Write, override: str) -> None:
    assert load_recipe(write(), [override]).fingerprint() == load_recipe(write()).fingerprint()


@pytest.mark.parametrize("override", ["seed=1", "train.steps=3", "sources.0.priority=1", "pack.seq_length=64"])
def test_what_is_made_is_in_the_fingerprint(write: Write, override: str) -> None:
    assert load_recipe(write(), [override]).fingerprint() != load_recipe(write()).fingerprint()


def test_a_recipe_cannot_be_changed(write: Write) -> None:
    recipe = load_recipe(write())
    with pytest.raises(ValidationError, match="frozen"):
        recipe.seed = 1  # type: ignore[misc]
    with pytest.raises(ValidationError, match="frozen"):
        recipe.train.steps = 1  # type: ignore[misc]


# --- wrong recipes


def test_every_problem_is_in_one_message(write: Write) -> None:
    message = refused(
        write({**SMALL, "curat": {}, "seed": "zero", "pack": {"seq_length": 1, "overflow": "crop"}}),
        "train.steps",
        "train.step=5",
    )
    for part in (
        "6 problems",
        "curat: unknown key (did you mean 'curate'?)",
        "seed: Input should be a valid integer, not 'zero'",
        "pack.seq_length: Input should be greater than or equal to 8, not 1",
        "pack.overflow: Input should be 'truncate', 'drop', 'raise' or 'split', not 'crop'",
        "override 'train.steps': write it as key.path=value",
        "train.step: unknown key (did you mean 'steps'?)",
    ):
        assert part in message


def test_an_unknown_key_far_from_all_lists_those_that_exist(write: Write) -> None:
    assert "train.launch.zzz: unknown key (known: grace, node_rank, nodes, " in refused(write(), "train.launch.zzz=1")


def test_missing_keys_are_named(write: Write) -> None:
    message = refused(write({"sources": [{"name": "n", "target": "a:b"}], "train": {}}))
    for key in ("run", "sources.0.kind", "train.model"):
        assert f"{key}: missing" in message


@pytest.mark.parametrize(
    ("override", "part"),
    [
        ("curate.split.test=0.5", "curate.split: the shares add up to 1.45, not 1"),
        ("curate.rules.word_count={min: 9, max: 3}", "min 9.0 is above max 3.0"),
        ("curate.rules.text={word_cout: {min: 9}}", "no signal is called 'word_cout' (did you mean 'word_count'?)"),
        ("curate.rules.preset=strict", "curate.rules.preset"),
        ("curate.rules.word_cont={min: 5}", "no signal is called 'word_cont' (did you mean 'word_count'?)"),
        ("curate.rules.cod={word_count: {min: 5}}", "curate.rules.cod: unknown key (did you mean 'code'?)"),
        ("curate.rules.text.word_count={mni: 5}", "word_count.mni: unknown key (did you mean 'min'?)"),
        ("curate.rules.url_share={max: 20}", "max 20, but url_share is always between 0 and 1"),
        ("curate.pii.entities=[email, passport]", "curate.pii.entities: no entity is called 'passport'"),
        ("curate.pii.entities=[null]", "no entity is called None; one of email, phone"),
        ("curate.pii.entities=[[email]]", "no entity is called ['email']; one of email, phone"),
        ("curate.pii.countries=[uk]", "no country has the code 'uk' (did you mean 'GB'?)"),
        ("curate.pii.countries=[NO]", "not False"),
        ("curate.pii.countries=[NO]", "(YAML reads no, yes, off and on as false and true: put text into"),
        ("curate.pii=true", "curate.pii: Input should be a section of keys, as in `key: value`, not True"),
        ("curate.rules.word_count=5", "curate.rules.all.word_count: Input should be a section of keys"),
        ("curate.rules.language={in: en}", "curate.rules.all.language.in: Input should be a valid list, not 'en'"),
        ("train.micro_batch=3", "train: global_batch 8 is not a multiple of micro_batch × launch.nproc = 3 × 1"),
        ("train.model.path=gpt2", "give either `path` (a trained model) or `config` (random weights)"),
        ("train.steps=2.5", "train.steps"),
        ("train.steps='5'", "train.steps"),
        ("cluster.workers=0", "cluster.workers"),
        ("sources=[]", "sources"),
        ("sources.0.path=null", "give one of `path`, `dataset`, `delta`, `urls`, `target`, not 0"),
        ("sources.0.format=null", "`path` needs a `format`"),
        ("sources.0.name='a b'", "sources.0.name"),
    ],
)
def test_a_wrong_value_names_its_key(write: Write, override: str, part: str) -> None:
    assert part in refused(write(), override)


def test_two_sources_of_one_name_are_refused(write: Write) -> None:
    assert "two sources are called notes" in refused(write({**SMALL, "sources": SMALL["sources"] * 2}))


# --- rules


def test_bounds_directly_under_rules_hold_for_every_kind(write: Write) -> None:
    rules = load_recipe(write(), ["curate.rules={word_count: {min: 5}, code: {url_share: null}}"]).curate.rules
    assert rules.preset == "playbook"
    assert rules.all["word_count"] is not None
    assert rules.all["word_count"].min == 5
    assert rules.code == {"url_share": None}


@pytest.mark.parametrize(
    ("override", "value"),
    [("curate.clean=null", "clean"), ("curate.pii=null", "pii")],
)
def test_null_switches_a_step_off(write: Write, override: str, value: str) -> None:
    assert getattr(load_recipe(write(), [override]).curate, value) is None


# --- overrides


def test_overrides_reach_nested_keys_and_list_entries(write: Write) -> None:
    recipe = load_recipe(
        write(), ["train.launch.nproc=2", "sources.0.path=other/*.jsonl", "curate.dedup.fuzzy.threshold=0.5"]
    )
    assert recipe.train.launch.nproc == 2
    assert recipe.sources[0].path == "other/*.jsonl"
    assert recipe.curate.dedup.fuzzy is not None
    assert recipe.curate.dedup.fuzzy.threshold == 0.5


def test_the_last_override_of_a_key_wins(write: Write) -> None:
    assert load_recipe(write(), ["seed=1", "seed=2"]).seed == 2


def test_an_override_keeps_its_neighbours(write: Write) -> None:
    recipe = load_recipe(write({**SMALL, "pack": {"seq_length": 64, "loss": "all"}}), ["pack.seq_length=32"])
    assert (recipe.pack.seq_length, recipe.pack.loss) == (32, "all")


def test_a_value_may_hold_an_equals_sign(write: Write) -> None:
    assert load_recipe(write(), ["sources.0.path=a=b.jsonl"]).sources[0].path == "a=b.jsonl"


@pytest.mark.parametrize(
    ("override", "part"),
    [
        ("train.steps", "write it as key.path=value"),
        ("=5", "write it as key.path=value"),
        ("train..steps=5", "write it as key.path=value"),
        ("train.steps=[1", "the value is not YAML"),
        ("sources.1.name=x", "sources has 1 entries, from 0"),
        ("sources.first.name=x", "sources has 1 entries, from 0"),
        ("run.x=1", "run is a value, not a section"),
    ],
)
def test_a_wrong_override_says_what_is_wrong_with_it(write: Write, override: str, part: str) -> None:
    message = refused(write(), override)
    assert f"override {override!r}: " in message
    assert part in message


# --- sources in files of their own


def test_a_source_may_be_the_path_of_a_file(write: Write) -> None:
    source = write(SMALL["sources"][0], "notes.yaml")
    recipe = load_recipe(write({**SMALL, "sources": [str(source)]}))
    assert recipe.fingerprint() == load_recipe(write()).fingerprint()


def test_a_source_file_that_is_not_there_is_named(write: Write, tmp_path: Path) -> None:
    write(SMALL["sources"][0], "notes.yaml")
    message = refused(write({**SMALL, "sources": [str(tmp_path / "note.yaml")]}))
    assert "no source at this path (did you mean 'notes.yaml'?)" in message
    assert str(tmp_path / "note.yaml") in message


# --- files that are no recipe


def test_a_missing_recipe_is_named_with_its_neighbour(write: Write) -> None:
    path = write()
    message = refused(path.with_name("recipes.yaml"))
    assert "no recipe at this path (did you mean 'recipe.yaml'?)" in message


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("run: [1", "is not YAML: expected ',' or ']'"),
        ("run: [1", "recipe.yaml:1:8\n"),
        ("run: x\n\tseed: 1", "is not YAML"),
        ('{"run": "x",,}', "is not YAML"),
        ("seed: 0\nrun: x\nseed: 7", "the key 'seed' stands twice"),
        ("run: x\ntrain:\n  steps: 1\n  steps: 2", "the key 'steps' stands twice"),
        ("- a\n- b\n", "is not a mapping of keys"),
        ("just words", "is not a mapping of keys"),
        ("", "is not a mapping of keys"),
    ],
)
def test_a_file_that_is_no_recipe_is_refused(write: Write, text: str, part: str) -> None:
    path = write(text)
    message = refused(path)
    assert part in message
    assert str(path) in message


def test_a_recipe_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_bytes(b"run: \xff\xfe")
    assert "cannot be read" in refused(path)


def test_a_folder_is_no_recipe(tmp_path: Path) -> None:
    assert "cannot be read" in refused(tmp_path)


def test_json_is_yaml(write: Write) -> None:
    import json

    assert load_recipe(write(json.dumps(SMALL), "recipe.json")).fingerprint() == load_recipe(write()).fingerprint()


# --- the documentation


def test_the_documentation_lists_every_key_as_it_is() -> None:
    page = (ROOT / "docs" / "recipe.md").read_text(encoding="utf-8")
    _, _, rest = page.partition(KEYS_START)
    written, end, _ = rest.partition(KEYS_END)
    assert end, "docs/recipe.md has lost its markers"
    assert written.strip() == key_tables().strip(), (
        "run `python -m tests.recipe_keys` to bring docs/recipe.md up to date"
    )


@pytest.mark.parametrize("path", sorted((ROOT / "data").glob("*.yaml")), ids=lambda path: path.name)
def test_the_recipes_that_ship_are_right(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert load_recipe(path).sources


def test_an_override_reaches_into_a_source_that_is_a_file() -> None:
    assert load_recipe(TINY, ["sources.1.priority=3"]).sources[1].priority == 3


@pytest.mark.parametrize(
    ("override", "part"),
    [
        ("train.learning_rate=.inf", "train.learning_rate: Input should be a finite number"),
        ("curate.rules.word_count={min: .nan}", "finite number"),
        ("run=s3://bucket/run", "is a URL"),
        ("run=null", "run: Input should be a valid string, not null"),
    ],
)
def test_what_would_be_a_silent_default_is_refused(override: str, part: str) -> None:
    with pytest.raises(RecipeError, match="a problem") as error:
        load_recipe(TINY, [override])
    assert part in str(error.value)


@pytest.mark.parametrize(("text", "value"), [("1e-3", 1e-3), ("1.0e-3", 1e-3), ("2E+1", 20.0), (".5e-1", 0.05)])
def test_a_power_of_ten_is_a_number(text: str, value: float) -> None:
    assert load_recipe(TINY, [f"train.learning_rate={text}"]).train.learning_rate == value


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ({"split": "train[:2]"}, "`split` has no effect with `path`: it goes with `dataset`, `urls`"),
        ({"revision": "main"}, "`revision` has no effect with `path`"),
        ({"args": {"n": 1}}, "`args` has no effect with `path`: it goes with `target`"),
        ({"version": 3}, "`version` has no effect with `path`: it goes with `delta`"),
        ({"tree": "all"}, "`tree` has no effect with `format: text`: it goes with `format: openassistant`"),
        ({"comments": "none"}, "`comments: none` has no effect with `kind: text`"),
        ({"corpus": ["c"]}, "`corpus` has no effect with `format: text`"),
        ({"roles": {"USER": "user"}}, "`roles` has no effect with `format: text`"),
        ({"container": "csv", "field": "rows"}, "`field` has no effect with `container: csv`"),
        ({"path": None, "format": None, "target": "a:b", "field": "rows"}, "`field` has no effect with `target`"),
        ({"format": "txet"}, r"there is no format 'txet' (did you mean 'text'?)"),
        (
            {"format": "megatron"},
            "`kind` has no effect with `format: megatron`: its files hold tokens, which go straight",
        ),
        ({"sample_by": "line", "container": "jsonl"}, "`sample_by` has no effect with `container: jsonl`"),
    ],
)
def test_a_key_of_a_source_without_effect_is_refused(write: Write, source: dict[str, Any], problem: str) -> None:
    document = {**SMALL, "sources": [{**SMALL["sources"][0], **source}]}
    where = "sources.0.format" if "no format" in problem else "sources.0"
    assert f"{where}: {problem}" in refused(write(document))


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ({"columns": {"text": "body"}}, "`columns` has no effect with `format: nanogpt`"),
        ({"path": {"trian": "x"}}, "path: there is no split 'trian'"),
        ({"path": None}, "path: Input should be"),
        ({"name": "a/b"}, "name: String should match"),
        ({"boundary": -1}, "boundary: Input should be greater"),
    ],
)
def test_a_wrong_source_of_tokens_is_told_in_its_place(write: Write, source: dict[str, Any], problem: str) -> None:
    tokens = {"name": "tokens", "format": "nanogpt", "path": "x.bin", **source}
    document = {**SMALL, "sources": [SMALL["sources"][0], tokens], "pack": {"tokenizer": "t", "lenght": 3}}
    told = refused(write(document))
    assert f"sources.1: {problem}" in told
    assert "pack.lenght: unknown key" in told  # and everything else with it


def test_a_source_of_tokens_goes_straight_to_bins(write: Write) -> None:
    tokens = {"name": "web", "format": "megatron", "path": ["30", "a", "70", "b"], "split": "1,0,0"}
    document = {**SMALL, "sources": [SMALL["sources"][0], tokens], "pack": {"tokenizer": "t"}}
    recipe = load_recipe(write(document))
    assert [source.name for source in recipe.sources] == [SMALL["sources"][0]["name"]]
    (spec,) = recipe.pack.pretokenised
    assert (spec.label, spec.paths, spec.split) == ("web", ["30", "a", "70", "b"], "1,0,0")
    assert load_recipe(write(yaml.safe_load(dump_recipe(recipe)))) == recipe
    for pack, problem in (
        ({}, "files of tokens (web) need `tokenizer`"),
        ({"tokenizer": "t", "fertility": {"min": 1}}, "`fertility` cannot be measured on files of tokens (web)"),
    ):
        assert problem in refused(write({**document, "pack": pack}))


def test_a_role_to_learn_must_exist(write: Write) -> None:
    problem = refused(write(), "pack.loss={roles: [assistant, toool]}")
    assert "there is no role 'toool' (did you mean 'tool'?)" in problem
