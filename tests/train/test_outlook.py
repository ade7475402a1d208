"""What `plan` says of a training is what the training then does; what is wrong with it is told without a weight."""

from __future__ import annotations

import threading
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from pipeline.config import Train
from pipeline.errors import InputError, MachineError, RecipeError
from pipeline.train.cautions import cautions
from pipeline.train.outlook import outlook
from pipeline.train.parallel import Ranks, check_gpus
from pipeline.train.setup import setup

from .conftest import TINY_LLAMA, MakeRun

ALONE = Ranks(0, 1, torch.device("cpu"))


GPT2 = {"model_type": "gpt2", "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 128}
FALCON = {"model_type": "falcon", "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
WINDOWED = {**TINY_LLAMA, "model_type": "mistral", "sliding_window": 32}
CHUNKED = {**TINY_LLAMA, "model_type": "llama4_text", "head_dim": 16, "attention_chunk_size": 32}
CTRL = {"model_type": "ctrl", "n_embd": 32, "dff": 64, "n_layer": 2, "n_head": 4, "n_positions": 128}
CAPPED = {**TINY_LLAMA, "model_type": "gemma2", "head_dim": 16, "attn_logit_softcapping": 5.0}
BERT = {**{key: TINY_LLAMA[key] for key in TINY_LLAMA if key[:3] in ("hid", "int", "max")}, "model_type": "bert"}
BERT |= {"num_hidden_layers": 2, "num_attention_heads": 4}
GPT_NEOX_JAPANESE = {"model_type": "gpt_neox_japanese", **{key: BERT[key] for key in BERT if key[:3] in ("hid", "num")}}
MIXTRAL = {**TINY_LLAMA, "model_type": "mixtral", "num_local_experts": 4}
TWO_SHARE: dict[str, Any] = {"parallel": {"context": 2}, "launch": {"nproc": 2}}


def plan(make_run: MakeRun, *, name: str = "plan", seq_length: int | None = None, **train: Any) -> dict[str, list[str]]:
    run, recipe = make_run(name=name, **train)
    if seq_length is not None:
        recipe = recipe.model_copy(update={"pack": recipe.pack.model_copy(update={"seq_length": seq_length})})
    found: dict[str, list[str]] = {}
    for key, text in outlook(recipe, run).rows():
        found.setdefault(key, []).append(text)
    return found


@pytest.mark.parametrize(
    "train",
    [
        {},
        {"method": "lora", "lora": {"target_modules": ["q_proj", "layers.1.mlp.*"], "exclude_modules": ["down_proj"]}},
        {"method": "lora", "lora": {"dora": True, "rank": 3}},
    ],
)
def test_steps_targets_and_trained_parameters_are_as_foretold(train: dict[str, Any], make_run: MakeRun) -> None:
    """More than an epoch, so that examples have changed places in the second, which is not whole."""
    run, recipe = make_run(steps=11, checkpoint_every=11, **train)
    training = setup(run, recipe, ALONE)
    said = outlook(recipe, run)
    assert len(training.bins) < 11 * 4
    assert training.fit(threading.Event())
    assert f"{11 * 4 / len(training.bins):.2f} epochs of {len(training.bins)} bins" in said.data
    assert f", {training.state.target_tokens:,} target tokens" in said.data
    model = training.engine.learner.model
    assert said.trainable == sum(p.numel() for p in model.parameters() if p.requires_grad)


def test_layers_with_an_adapter_are_listed_together(make_run: MakeRun) -> None:
    config = {**TINY_LLAMA, "num_hidden_layers": 6}
    lora = {"target_modules": ["q_proj", "layers.3.mlp.up_proj"], "exclude_modules": ["layers.4.*"]}
    assert plan(make_run, model={"config": config}, method="lora", lora=lora)["adapter"] == [
        "model.layers.[0-3,5].self_attn.q_proj: 5 layers",
        "model.layers.[3].mlp.up_proj: 1 layer",
    ]


def test_a_model_that_does_not_fit_is_told_what_to_change(make_run: MakeRun) -> None:
    """70 B parameters, which nobody here has the memory for, and none of it is taken."""
    huge = {
        "model_type": "llama",
        "hidden_size": 8192,
        "intermediate_size": 28672,
        "num_hidden_layers": 80,
        "num_attention_heads": 64,
        "num_key_value_heads": 8,
        "vocab_size": 128256,
    }
    said = plan(make_run, model={"config": huge})
    assert said["model"] == ["llama, 70,553,706,496 parameters"]
    assert any("does not fit" in line for line in said["memory"])
    assert any("train.method: lora" in line for line in said["change"])
    assert "change" not in plan(make_run, name="tiny")


@pytest.mark.parametrize(
    ("train", "kind", "message"),
    [
        ({"model": {"config": {**TINY_LLAMA, "hiden_size": 64}}}, RecipeError, "did you mean 'hidden_size'"),
        ({"model": {"config": {**TINY_LLAMA, "num_attention_heads": 5}}}, RecipeError, "cannot make a llama model"),
        ({"model": {"config": BERT}}, InputError, "bert is an encoder"),
        ({"model": {"config": {**BERT, "model_type": "rembert"}}}, InputError, "rembert is an encoder"),
        ({"model": {"config": {"model_type": "gemma3"}}}, RecipeError, "`model_type: gemma3_text`"),
        ({"method": "lora", "lora": {"target_modules": ["q_prj"]}}, RecipeError, "no layer matches 'q_prj'"),
        ({"seq_length": 4096}, InputError, "takes 128 positions"),
        (
            {"parallel": {"tensor": 4}, "launch": {"nproc": 4}},
            RecipeError,
            "num_key_value_heads 2 of llama is no multiple of 4",
        ),
        ({"parallel": {"tensor": 2}, "launch": {"nproc": 2}, "model": {"config": GPT2}}, RecipeError, "no tensor-par"),
        ({**TWO_SHARE, "model": {"config": CAPPED}}, RecipeError, "does not attend within given bounds"),
        ({**TWO_SHARE, "model": {"config": FALCON}}, RecipeError, "does not attend within given bounds"),
        ({**TWO_SHARE, "model": {"config": CHUNKED}}, RecipeError, "does not attend within given bounds"),
        ({"activation_checkpointing": "full", "model": {"config": CTRL}}, RecipeError, "no activation checkpointing"),
        ({"compile": True, "activation_checkpointing": "full"}, RecipeError, "on a CPU, layers with activation"),
        ({"precision": "float8", "compile": True}, MachineError, "float8 takes a GPU"),
    ],
)
def test_what_training_would_refuse_is_refused_before(
    train: dict[str, Any], kind: type[Exception], message: str, make_run: MakeRun
) -> None:
    with pytest.raises(kind) as caught:
        plan(make_run, **train)
    assert message in str(caught.value)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU to compare with")
def test_the_memory_of_a_gpu_is_not_compared_with_that_of_a_machine_without_one(make_run: MakeRun) -> None:
    run, recipe = make_run()
    said = outlook(recipe.model_copy(update={"device": "cuda"}), run)
    assert said.memory[-2] == "no GPU is here to compare it with"
    assert "fit" not in said.memory[-1]
    assert said.advice == []


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU to ask")
@pytest.mark.parametrize(
    ("train", "refused"),
    [
        # On a CPU each would be judged the other way round.
        ({**TWO_SHARE, "precision": "fp32"}, "does not attend within given bounds"),
        ({"compile": True, "activation_checkpointing": "full"}, None),
        ({"precision": "float8", "compile": True}, "the package torchao" if find_spec("torchao") is None else None),
    ],
)
def test_what_is_to_run_on_a_gpu_is_judged_as_on_one(
    train: dict[str, Any], refused: str | None, make_run: MakeRun
) -> None:
    run, recipe = make_run(**train)
    recipe = recipe.model_copy(update={"device": "cuda"})
    if refused is None:
        assert outlook(recipe, run).memory
        return
    with pytest.raises((RecipeError, MachineError), match=refused):
        outlook(recipe, run)


def test_more_ranks_than_gpus_are_told_before_anything_starts(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a machine with two GPUs, as torch would tell of it; the ranks themselves are refused."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    run, recipe = make_run(launch={"nproc": 4})
    for device in ("auto", "cuda"):
        (warning,) = outlook(recipe.model_copy(update={"device": device}), run).warnings
        assert warning == "train.launch.nproc is 4, and this machine shows 2 GPUs"
    assert outlook(recipe, run).warnings == []  # device: cpu
    with pytest.raises(MachineError, match="4 ranks, but 2 GPUs") as told:
        check_gpus(2, 4)
    assert told.value.where == "train.launch.nproc: 4"


def test_keys_without_effect_are_told() -> None:
    model = {"config": TINY_LLAMA}
    (adapters,) = cautions(Train.model_validate({"model": model, "lora": {"rank": 4, "dora": True}}))
    assert adapters == "train.lora.rank, train.lora.dora: no effect with train.method: full; set method: lora"
    (patience,) = cautions(Train.model_validate({"model": model, "validation": {"min_delta": 0.1}}))
    assert "no effect without train.validation.patience" in patience
    resolved = Train.model_validate({"model": model}).model_dump(mode="json")  # has every default written out
    assert cautions(Train.model_validate(resolved)) == []


def test_what_is_most_likely_not_meant_is_told(make_run: MakeRun) -> None:
    (warning,) = plan(make_run, warmup=12)["warning"]
    assert "the learning rate does not come down from its peak" in warning
    assert "warning" not in plan(make_run, name="right")


def test_a_model_of_the_hub_that_is_not_here_is_no_error(make_run: MakeRun) -> None:
    said = plan(make_run, model={"path": "nobody-at-all/no-such-model"})
    assert "not on this machine" in said["model"][0]
    assert "12 steps of 4 bins" in said["data"][0]


def test_what_reading_the_model_takes_is_compared_with_the_machine(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Llama of 1.24 thousand millions: 4.6 GiB in float32 to read."""
    one = {
        **TINY_LLAMA,
        "hidden_size": 2048,
        "intermediate_size": 8192,
        "num_hidden_layers": 16,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "vocab_size": 128256,
    }
    memory = SimpleNamespace(total=12 << 30)
    monkeypatch.setattr("pipeline.train.outlook.total_memory", lambda: memory.total)
    heads: dict[str, Any] = {"model": {"config": one}, "launch": {"nproc": 4}, "parallel": {"tensor": 4}}
    said = plan(make_run, **heads)
    assert "loading 18.42 GiB" in said["memory"][-1]
    assert "does not fit 12.0 GiB" in said["memory"][-1]
    assert any(line.startswith("train.launch.nproc: 2, over more machines") for line in said["change"])
    assert any(line.startswith("train.parallel.shard in the place of tensor") for line in said["change"])
    shards = {**heads, "parallel": {"shard": 4}}
    (line,) = [line for line in plan(make_run, name="turns", **shards)["memory"] if line.startswith("loading")]
    assert line.startswith("loading 4.60 GiB")
    assert line.endswith("after one another where it is short; fits 12.0 GiB of this machine")
    memory.total = 32 << 30
    assert "; fits 32.0 GiB" in plan(make_run, name="more", **heads)["memory"][-1]
    memory.total = 4 << 30
    said = plan(make_run, name="less", **shards)
    assert any("one rank cannot read the model" in line for line in said["change"])


def test_a_model_of_text_and_images_is_planned_and_trained_by_its_model_of_text(
    make_run: MakeRun, tmp_path: Path
) -> None:
    text = {**TINY_LLAMA, "head_dim": 16, "vocab_size": 400, "sliding_window": 5, "num_hidden_layers": 6}
    del text["model_type"]
    seen = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = AutoConfig.for_model("gemma3", text_config=text, vision_config={**seen, "image_size": 28})
    before = AutoModelForCausalLM.from_config(config)
    before.save_pretrained(tmp_path / "model")
    model = {"path": str(tmp_path / "model")}
    said = plan(make_run, model=model)
    assert said["model"][0].startswith("gemma3, ")
    run, recipe = make_run(name="trained", model=model, steps=2, checkpoint_every=2)
    training = setup(run, recipe, ALONE)
    assert said["trainable"] == [f"{training.engine.weights.numel():,} parameters"]
    assert training.engine.learner.isolation == "bounds"
    assert training.engine.learner.windows is not None
    assert training.engine.learner.windows.layers == (5, 5, 5, 5, 5, None)
    assert training.fit(threading.Event())
    after = AutoModelForCausalLM.from_pretrained(run.path("checkpoints/step-00000002/model")).state_dict()
    seen = {name for name, value in before.state_dict().items() if torch.equal(value, after[name])}
    assert seen
    assert seen == {name for name in after if ".vision_tower." in name or ".multi_modal_projector." in name}
    lora = plan(make_run, name="adapters", model=model, method="lora")
    assert lora["adapter"]
    assert not [line for line in lora["adapter"] if "vision" in line or "projector" in line]


@pytest.mark.parametrize("kind", ["llama", "qwen3", "gemma", "phi"])
def test_families_that_attend_within_bounds_may_share_positions(kind: str, make_run: MakeRun) -> None:
    wide = {"head_dim": 16} if kind in ("qwen3", "gemma") else {}
    said = plan(make_run, model={"config": {**TINY_LLAMA, "model_type": kind, **wide}}, **TWO_SHARE)
    assert said["model"][0].startswith(kind)


@pytest.mark.parametrize("decoder", [{**BERT, "is_decoder": True}, GPT_NEOX_JAPANESE])
def test_what_sees_no_later_tokens_is_no_encoder(decoder: dict[str, Any], make_run: MakeRun) -> None:
    assert plan(make_run, model={"config": decoder})["model"]


def test_experts_without_adapters_are_named(make_run: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    train: dict[str, Any] = {"model": {"config": MIXTRAL}, "method": "lora"}
    (warning,) = plan(make_run, **train)["warning"]
    names = "model.layers.*.mlp.experts.gate_up_proj, model.layers.*.mlp.experts.down_proj"
    assert warning.startswith(f"no adapter goes to {names}: weights (of experts, mostly)")
    run, recipe = make_run(name="run", **train)
    model = setup(run, recipe, ALONE).engine.learner.plain
    assert f"warning: no adapter goes to {names}" in capsys.readouterr().out
    experts = [one for name, one in model.named_parameters() if ".experts." in name]
    assert experts
    assert not any(one.requires_grad for one in experts)
    share = sum(one.numel() for one in experts) / sum(
        one.numel() for name, one in model.named_parameters() if "lora_" not in name
    )
    assert f"{share:.0%} of the model" in warning
    assert "warning" not in plan(make_run, name="full", model={"config": MIXTRAL})


def test_layers_with_windows_may_share_positions(make_run: MakeRun) -> None:
    assert plan(make_run, model={"config": WINDOWED}, **TWO_SHARE)["model"][0].startswith("mistral")


def test_tokens_that_adapters_would_leave_untrained_are_told_before(stories: Path, make_run: MakeRun) -> None:
    run, recipe = make_run(tokenizer=stories, model={"path": str(stories)}, method="lora")
    pack = recipe.pack.model_copy(update={"tokenizer": str(stories)})
    recipe = recipe.model_copy(update={"pack": pack})
    assert outlook(recipe, run).adapters
    tokenizer = AutoTokenizer.from_pretrained(run.path("tokenizer"))
    tokenizer.add_tokens([f"<{number}>" for number in range(9)])
    tokenizer.save_pretrained(run.path("tokenizer"))
    with pytest.raises(InputError, match="LoRA would leave the new ones untrained"):
        outlook(recipe, run)
