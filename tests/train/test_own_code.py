"""A model that brings its own code is trained where the recipe trusts it, and refused with the key where not."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM

from pipeline.config import Model
from pipeline.errors import InputError
from pipeline.train import plan
from pipeline.train.model import load_model, load_tokenizer
from pipeline.train.outlook import outlook
from pipeline.train.parallel import Ranks
from pipeline.train.setup import setup

from .conftest import TINY_LLAMA, MakeRun, byte_tokenizer

CODE = """
from transformers import LlamaConfig, LlamaForCausalLM
class OwnConfig(LlamaConfig):
    model_type = "own"
class OwnForCausalLM(LlamaForCausalLM):
    config_class = OwnConfig
"""


@pytest.fixture
def own_code(tmp_path: Path) -> Path:
    """A Llama under another name, whose class is in the folder."""
    folder = tmp_path / "own"
    tokenizer = byte_tokenizer(folder)
    keys = {key: value for key, value in TINY_LLAMA.items() if key != "model_type"}
    made = LlamaConfig(**keys, vocab_size=len(tokenizer))
    torch.manual_seed(0)
    weights = LlamaForCausalLM(made).state_dict()
    save_file(
        {name: weight for name, weight in weights.items() if name != "lm_head.weight"}, folder / "model.safetensors"
    )
    about = {"AutoConfig": "modeling_own.OwnConfig", "AutoModelForCausalLM": "modeling_own.OwnForCausalLM"}
    config = {**made.to_dict(), "model_type": "own", "architectures": ["OwnForCausalLM"], "auto_map": about}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "modeling_own.py").write_text(CODE)
    return folder


def test_code_of_a_model_runs_only_where_it_is_trusted(
    own_code: Path, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))
    path = str(own_code)
    run, recipe = make_run(name="not", model={"path": path}, tokenizer=own_code)
    for refused in (lambda: outlook(recipe, run), lambda: setup(run, recipe, ALONE)):
        with pytest.raises(InputError, match=r"train.model.trust_remote_code: true"):
            refused()
    run, recipe = make_run(name="trusted", model={"path": path, "trust_remote_code": True}, tokenizer=own_code, steps=2)
    said = dict(outlook(recipe, run).rows())
    assert said["model"].startswith("own, ")
    assert any("fits" in text for _, text in outlook(recipe, run).rows())
    training = setup(run, recipe, ALONE)
    assert type(training.engine.learner.model).__name__ == "OwnForCausalLM"
    assert said["trainable"].split()[0] == f"{training.engine.weights.numel():,}"
    assert training.fit(threading.Event())
    # What was trained is loaded as what it began as.
    model = run.path("checkpoints/step-00000002/model")
    tokenizer = load_tokenizer(run.path("tokenizer"))
    again = load_model(recipe.training.model, tokenizer, seed=0, seq_length=64, weights=model)
    for name, weight in training.engine.learner.model.state_dict().items():
        assert torch.equal(weight, again.state_dict()[name])


def test_other_code_is_another_training(own_code: Path, make_run: MakeRun) -> None:
    run, recipe = make_run(model={"path": str(own_code), "trust_remote_code": True}, tokenizer=own_code)

    def fingerprint() -> str:
        stage = plan(run, recipe)
        assert stage is not None
        return stage.fingerprint

    before = fingerprint()
    assert fingerprint() == before
    (own_code / "modeling_own.py").write_text(CODE + "\nSCALE = 2\n")
    assert fingerprint() != before
    assert Model(path=str(own_code)).trust_remote_code is False


ALONE = Ranks(0, 1, torch.device("cpu"))
