"""Adapters go where the patterns say and nowhere else, and merging them changes no logit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from pipeline.config import Lora
from pipeline.errors import InputError, RecipeError
from pipeline.train.lora import add_adapters, load_adapter, matched_layers, merged_weights, save_adapter

from .conftest import TINY_LLAMA

TOKENS = torch.arange(40).reshape(2, 20)


def base(layers: int = 2) -> PreTrainedModel:
    torch.manual_seed(0)
    keys = {**TINY_LLAMA, "vocab_size": 90, "num_hidden_layers": layers, "tie_word_embeddings": False}
    model: PreTrainedModel = AutoModelForCausalLM.from_config(AutoConfig.for_model(**keys), dtype=torch.float32)
    return model.eval()


def test_patterns_name_whole_segments() -> None:
    model = base(layers=12)
    assert len(matched_layers(model, "all-linear")) == 12 * 7  # not the output layer
    first = matched_layers(model, ["*.layers.1.*"])
    assert len(first) == 7
    assert all(name.startswith("model.layers.1.") for name in first)  # and not layers 10 and 11
    assert matched_layers(model, ["q_proj", "layers.3.mlp.*"]) == sorted(
        [f"model.layers.{n}.self_attn.q_proj" for n in range(12)]
        + [f"model.layers.3.mlp.{kind}_proj" for kind in ("gate", "up", "down")]
    )


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


@torch.no_grad()
def test_the_merged_model_has_the_logits_of_base_and_adapter(tmp_path: Path) -> None:
    model = add_adapters(base(), Lora(rank=4, alpha=12), seed=0).eval()
    torch.manual_seed(1)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            parameter.normal_(std=0.1)
    expected = model(TOKENS).logits
    assert (expected - base()(TOKENS).logits).abs().max() > 0.01
    merged = base()
    merged.load_state_dict(merged_weights(model))
    torch.testing.assert_close(merged(TOKENS).logits, expected, rtol=0, atol=1e-5)
    assert torch.equal(model(TOKENS).logits, expected)  # merging left it alone


def test_an_adapter_comes_back_from_its_folder_and_only_into_its_like(tmp_path: Path) -> None:
    lora = Lora(target_modules=["q_proj", "v_proj", "o_proj"])
    model = add_adapters(base(), lora, seed=0)
    save_adapter(model, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["adapter_config.json", "adapter_model.safetensors"]
    names = json.loads((tmp_path / "adapter_config.json").read_text())["target_modules"]
    assert names == sorted(names)
    other = add_adapters(base(), lora, seed=1)
    load_adapter(other, tmp_path)
    for (name, left), (_, right) in zip(model.named_parameters(), other.named_parameters(), strict=True):
        assert torch.equal(left, right), name
    with pytest.raises(InputError, match="of another model or of other layers"):
        load_adapter(add_adapters(base(), Lora(target_modules=["q_proj"]), seed=0), tmp_path)
