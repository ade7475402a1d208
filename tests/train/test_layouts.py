"""Loss and gradient do not depend on how a model and its data are laid out over ranks, nor on what is kept or cut."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline.config import Recipe
from pipeline.run import RunDirectory
from pipeline.train.launcher import launch
from pipeline.train.parallel import Ranks
from pipeline.train.setup import setup

from .conftest import TINY_LLAMA, assert_isclose, write_run
from .layouts import STEPS, steps

FAMILIES = ("llama", "qwen3", "gemma", "phi", "mistral")
LAYOUTS: dict[str, dict[str, Any]] = {
    "heads and shards": {"parallel": {"shard": 2, "tensor": 2}, "activation_checkpointing": "full"},
    "positions and shards": {"parallel": {"context": 2, "shard": 2}, "activation_checkpointing": "selective"},
}
"""Of four ranks, for each family: what depends on its layers. `parallel` cuts heads, attention shares positions."""
ONCE: dict[str, dict[str, Any]] = {
    "copies": {},
    "copies of shards": {"parallel": {"replicate": 2, "shard": 2}},
    "shards": {"parallel": {"shard": 4}},
    "positions": {"parallel": {"context": 4}},
    "copies of heads": {"parallel": {"replicate": 2, "tensor": 2}},
    "heads and positions": {"parallel": {"tensor": 2, "context": 2}},
}
"""Of four ranks, for one family: what no layer knows of, and what the others have in part."""
ALONE = Ranks(0, 1, torch.device("cpu"))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("layouts")
    wide = {"qwen3": {"head_dim": 16}, "gemma": {"head_dim": 16}}  # these do not take it from the width
    wide["mistral"] = {"sliding_window": 5}  # shorter than most rows
    return {
        kind: write_run(
            folder / kind,
            model={"config": {**TINY_LLAMA, "model_type": kind, **wide.get(kind, {})}},
            global_batch=8,
        )[0].root
        for kind in FAMILIES
    }


@pytest.fixture(scope="module")
def answers(runs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], dict[str, Any]]:
    """All of them on four ranks, which are started once."""
    folder = tmp_path_factory.mktemp("answers")
    names = [(kind, name) for kind in FAMILIES for name in LAYOUTS]
    questions = [{"run": str(runs[kind]), "train": LAYOUTS[name]} for kind, name in names]
    more = {
        **ONCE,
        "lora": {"method": "lora", "parallel": {"shard": 4}},
        "bf16": {"precision": "bf16"},
        "bf16 shards": {"precision": "bf16", "parallel": {"shard": 4}},
        "uneven heads": {"parallel": {"tensor": 4}},
    }
    names += [("llama", name) for name in more]
    questions += [{"run": str(runs["llama"]), "train": change} for change in more.values()]
    path = folder / "answers.json"
    path.write_text(json.dumps(questions))
    launch("tests.train.layouts", [str(path)], nproc=4, grace=5, log=folder / "log")
    return dict(zip(names, json.loads(path.read_text()), strict=True))


def alone(run: Path, **train: Any) -> dict[str, Any]:
    return steps({"run": str(run), "train": train}, ALONE)


@pytest.mark.parametrize("kind", FAMILIES)
def test_every_layout_computes_what_one_rank_does(
    kind: str, runs: dict[str, Path], answers: dict[tuple[str, str], dict[str, Any]]
) -> None:
    wanted = alone(runs[kind])
    assert len(set(wanted["losses"])) == STEPS
    for (family, name), found in answers.items():
        if family == kind and (name in {**LAYOUTS, **ONCE}):
            _same(found, wanted)
    for change in ({"activation_checkpointing": "full"}, {"activation_checkpointing": "selective"}, {"micro_batch": 8}):
        _same(alone(runs[kind], **change), wanted)


def _same(found: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert "error" not in found, found
    assert found["tokens"] == wanted["tokens"], found["train"]
    assert_isclose(found["losses"][0], wanted["losses"][0])
    assert_isclose(found["norms"][0], wanted["norms"][0])
    for left, right in zip(found["losses"], wanted["losses"], strict=True):  # after updates too
        assert_isclose(left, right, within=1e-5)


def test_adapters_can_be_sharded(runs: dict[str, Path], answers: dict[tuple[str, str], dict[str, Any]]) -> None:
    _same(answers["llama", "lora"], alone(runs["llama"], method="lora"))


def test_bf16_computes_nearly_the_same_and_updates_float32(
    runs: dict[str, Path], answers: dict[tuple[str, str], dict[str, Any]]
) -> None:
    wanted = alone(runs["llama"])
    for name in ("bf16", "bf16 shards"):
        found = answers["llama", name]
        assert found["losses"] != wanted["losses"]
        for left, right in zip(found["losses"], wanted["losses"], strict=True):
            assert_isclose(left, right, within=1e-2)


def test_bf16_begins_with_weights_that_nothing_has_rounded(runs: dict[str, Path]) -> None:
    run, recipe = RunDirectory.existing(str(runs["llama"]))
    exact = setup(run, recipe, ALONE).engine.weights
    changed = recipe.model_dump(mode="json")
    changed["train"]["precision"] = "bf16"
    halved = setup(run, Recipe.model_validate(changed), ALONE).engine.weights
    assert {one.dtype for one in halved.computed.values()} == {torch.bfloat16}
    assert halved.masters.keys() == exact.masters.keys()
    for name, master in halved.masters.items():
        assert torch.equal(master, exact.masters[name])
        assert torch.equal(halved.computed[name], master.to(torch.bfloat16))


def test_heads_that_do_not_divide_are_refused(answers: dict[tuple[str, str], dict[str, Any]]) -> None:
    assert "num_key_value_heads 2 of llama is no multiple of 4" in answers["llama", "uneven heads"]["error"]
