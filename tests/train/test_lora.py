"""Adapters go where the patterns say and nowhere else, and merging them changes no logit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from pipeline.config import Lora
from pipeline.errors import RecipeError
from pipeline.train.lora import adapted_layers, add_adapters, merged_weights, save_adapter

from .conftest import TINY_LLAMA

TOKENS = torch.arange(40).reshape(2, 20)


def base(layers: int = 2) -> PreTrainedModel:
    torch.manual_seed(0)
    keys = {**TINY_LLAMA, "vocab_size": 90, "num_hidden_layers": layers, "tie_word_embeddings": False}
    model: PreTrainedModel = AutoModelForCausalLM.from_config(AutoConfig.for_model(**keys), dtype=torch.float32)
    return model.eval()


def matched(model: PreTrainedModel, *patterns: str, exclude: tuple[str, ...] = ()) -> list[str]:
    targets = list(patterns) if patterns else "all-linear"
    return adapted_layers(model, Lora.model_validate({"target_modules": targets, "exclude_modules": list(exclude)}))


def test_patterns_name_whole_segments() -> None:
    model = base(layers=12)
    every = matched(model)
    assert len(every) == 12 * 7  # not the output layer
    first = matched(model, "*.layers.1.*")
    assert len(first) == 7
    assert all(name.startswith("model.layers.1.") for name in first)  # and not layers 10 and 11
    assert matched(model, "layers.1.*") == matched(model, "model.layers.1.*.*") == first
    assert matched(model, "q_proj", "layers.3.mlp.*") == sorted(
        [f"model.layers.{n}.self_attn.q_proj" for n in range(12)]
        + [f"model.layers.3.mlp.{kind}_proj" for kind in ("gate", "up", "down")]
    )
    assert matched(model, "*") == matched(model, "*_proj") == every
    assert matched(model, "layers.[01].*.?_proj") == [
        f"model.layers.{n}.self_attn.{kind}_proj" for n in (0, 1) for kind in "koqv"
    ]
    # A `*` within a pattern is one segment: `layers.*.q_proj` leaves out `self_attn`, and is told.
    with pytest.raises(RecipeError, match="no layer matches"):
        matched(model, "layers.*.q_proj")


def test_excluded_layers_take_no_adapter() -> None:
    model = base(layers=12)
    kept = matched(model, exclude=("layers.1.*", "down_proj"))
    assert len(kept) == 11 * 6
    assert not [name for name in kept if ".layers.1." in name or name.endswith("down_proj")]
    with pytest.raises(RecipeError, match="no layer matches 'dwn_proj'") as caught:
        matched(model, exclude=("dwn_proj",))
    assert "exclude_modules" in caught.value.where
    with pytest.raises(RecipeError, match="is excluded"):
        matched(model, "mlp.*", exclude=("mlp.*",))


def test_a_pattern_that_matches_nothing_is_an_error() -> None:
    with pytest.raises(RecipeError, match=r"no layer matches 'q_prj' \(did you mean 'q_proj'\?\)") as caught:
        add_adapters(base(), Lora(target_modules=["v_proj", "q_prj"]), seed=0)
    assert "k_proj" in caught.value.mend


def test_adapters_begin_as_nothing_and_only_they_are_trained() -> None:
    with torch.no_grad():
        before = base()(TOKENS).logits
        model = add_adapters(base(), Lora(target_modules=["*.layers.1.*"]), seed=0).eval()
        assert torch.equal(model(TOKENS).logits, before)
    trained = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    assert len(trained) == 7 * 2
    assert all(".layers.1." in name and ".lora_" in name for name in trained)


GPT2 = {"model_type": "gpt2", "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64}
FAMILIES = {
    "llama": {},
    "qwen3": {"head_dim": 16},
    "gemma": {"head_dim": 16},
    "phi": {},
}


def family(kind: str) -> PreTrainedModel:
    """A tiny model of an architecture; GPT-2 for its Conv1D layers, whose weights lie the other way round."""
    torch.manual_seed(0)
    ids = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "vocab_size": 90}
    keys = GPT2 if kind == "gpt2" else {**TINY_LLAMA, "model_type": kind, **FAMILIES[kind]}
    model: PreTrainedModel = AutoModelForCausalLM.from_config(AutoConfig.for_model(**keys, **ids), dtype=torch.float32)
    return model.eval()


def disturb(model: torch.nn.Module) -> None:
    """Adapters as training leaves them: nothing is zero."""
    torch.manual_seed(1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.1)
            elif "lora_magnitude" in name:
                parameter.mul_(1.1)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("llama", {}),
        ("qwen3", {"rslora": True}),
        ("gemma", {"dora": True}),
        ("phi", {"init_a": "orthogonal", "init_b": "gaussian"}),
        ("gpt2", {"dora": True}),
        ("llama", {"dtype": "bfloat16", "init_a": "xavier"}),
    ],
)
@torch.no_grad()
def test_both_exports_have_the_logits_of_base_and_adapter(kind: str, settings: dict[str, Any], tmp_path: Path) -> None:
    model = add_adapters(family(kind), Lora(rank=4, alpha=12, dropout=0.1, **settings), seed=0).eval()
    disturb(model)
    expected = model(TOKENS).logits
    assert (expected - family(kind)(TOKENS).logits).abs().max() > 0.01
    # Merged: a folder for plain transformers, which generates. In bfloat16 the product is rounded once, not twice.
    within = 0.03 if settings.get("dtype") == "bfloat16" else 1e-5
    plain = model.get_base_model()
    plain.save_pretrained(tmp_path / "model", state_dict=merged_weights(model))
    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "model", dtype=torch.float32)
    torch.testing.assert_close(merged(TOKENS).logits, expected, rtol=0, atol=within)
    assert merged.generate(TOKENS[:1, :4], max_new_tokens=4, do_sample=False).shape[1] > 4
    assert torch.equal(model(TOKENS).logits, expected)  # merging left it alone
    # As an adapter: a folder for plain peft, on the base model.
    save_adapter(model, tmp_path / "adapter")
    adapted = PeftModel.from_pretrained(family(kind), tmp_path / "adapter", autocast_adapter_dtype=False).eval()
    torch.testing.assert_close(adapted(TOKENS).logits, expected, rtol=0, atol=within)


@pytest.mark.parametrize(
    ("settings", "deviation", "bound"),
    [
        ({"init_a": "gaussian"}, 1 / 16, None),
        ({"init_a": "uniform"}, 1 / 16 / 3**0.5, 1 / 16),
        ({"init_a": "xavier"}, (2 / (64 + 16)) ** 0.5, (6 / (64 + 16)) ** 0.5),
        ({"init_a": "kaiming"}, (1 / 64 / 3) ** 0.5, (1 / 64) ** 0.5),
        ({"init_a": "orthogonal"}, 1 / 8, None),
    ],
)
def test_a_and_b_are_drawn_as_they_are_called(settings: dict[str, Any], deviation: float, bound: float | None) -> None:
    model = add_adapters(base(), Lora(rank=16, init_b="gaussian", **settings), seed=0)
    a = torch.cat([p.detach().flatten() for n, p in model.named_parameters() if "lora_A" in n and p.shape == (16, 64)])
    b = torch.cat([p.detach().flatten() for n, p in model.named_parameters() if "lora_B" in n])
    assert float(a.std()) == pytest.approx(deviation, rel=0.05)
    assert float(b.std()) == pytest.approx(1 / 16, rel=0.05)
    if bound is not None:
        assert 0.95 * bound < float(a.abs().max()) <= bound


def test_dropout_lies_before_a_or_after_b() -> None:
    for position in ("pre", "post"):
        model = add_adapters(base(), Lora(dropout=0.5, dropout_position=position, init_b="gaussian"), seed=0).train()
        layer = model.get_base_model().model.layers[0].mlp.gate_proj
        given: list[torch.Tensor] = []
        layer.lora_A["default"].register_forward_pre_hook(lambda _, inputs, given=given: given.append(inputs[0]))
        frozen = layer.base_layer(torch.ones(1, 64))
        added = layer(torch.ones(1, 64)) - frozen
        dropped_before, dropped_after = (float((x == 0).float().mean()) for x in (given[0], added))
        assert (dropped_before > 0.3, dropped_after > 0.3) == (position == "pre", position == "post")
        layer.eval()
        assert torch.equal(layer(torch.ones(1, 64)), layer(torch.ones(1, 64)))


def test_adapters_have_the_type_that_the_recipe_says() -> None:
    for name in ("float32", "bfloat16"):
        model = add_adapters(base(), Lora(dtype=name), seed=0)
        types = {str(p.dtype) for n, p in model.named_parameters() if p.requires_grad}
        assert types == {f"torch.{name}"}
        assert {p.dtype for n, p in model.named_parameters() if not p.requires_grad} == {torch.float32}


def test_an_adapter_comes_back_from_its_folder(tmp_path: Path) -> None:
    lora = Lora(target_modules=["q_proj", "v_proj", "o_proj"])
    model = add_adapters(base(), lora, seed=0)
    save_adapter(model, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["adapter_config.json", "adapter_model.safetensors"]
    names = json.loads((tmp_path / "adapter_config.json").read_text())["target_modules"]
    assert names == sorted(names)
    other = PeftModel.from_pretrained(base(), str(tmp_path))
    saved = {name: value for name, value in model.named_parameters() if "lora_" in name}
    read = {name: value for name, value in other.named_parameters() if "lora_" in name}
    assert saved.keys() == read.keys()
    for name, value in saved.items():
        assert torch.equal(value, read[name]), name
