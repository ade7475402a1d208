"""QLoRA: the frozen weights are small, adapters learn beside them, and the merged model is plain and says the same."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from pipeline.config import Lora, Model
from pipeline.pack.template import choose_template
from pipeline.train.lora import add_adapters, merged_weights
from pipeline.train.model import load_model

pytest.importorskip("bitsandbytes", reason="bitsandbytes is not installed (extra qlora)")

TOKENS = torch.arange(3, 40)[None]


@pytest.mark.parametrize("compute", [torch.float32, torch.bfloat16])
def test_products_are_taken_in_the_precision_of_the_recipe(compute: torch.dtype, stories: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(stories)
    tokenizer.chat_template = choose_template("default", tokenizer)
    model = load_model(
        Model(path=str(stories)), tokenizer, seed=0, seq_length=64, frozen=True, quantize="nf4", compute=compute
    )
    layer = model.model.layers[0].mlp.up_proj
    assert layer.compute_dtype == compute
    assert layer.compute_type_is_set  # what goes in does not change it


@pytest.mark.parametrize("quantize", ["nf4", "fp4", "int8"])
def test_the_merged_model_is_plain_and_has_the_logits_of_the_trained_one(quantize: str, stories: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(stories)
    tokenizer.chat_template = choose_template("default", tokenizer)
    loaded = load_model(Model(path=str(stories)), tokenizer, seed=0, seq_length=64, frozen=True, quantize=quantize)
    model = add_adapters(loaded, Lora.model_validate({"quantize": quantize}), seed=0)
    model(TOKENS, labels=TOKENS).loss.backward()
    trained = [name for name, parameter in model.named_parameters() if parameter.grad is not None]
    assert trained
    assert all(".lora_" in name for name in trained)
    held = model.get_base_model().model.layers[0].mlp.up_proj.base_layer.weight
    assert held.element_size() == 1
    torch.manual_seed(1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.1)
        expected = model.eval()(TOKENS).logits
        plain = AutoModelForCausalLM.from_pretrained(stories, dtype=torch.float32).eval()
        plain.load_state_dict(merged_weights(model))
        found = plain(TOKENS).logits
    # int8 also rounds what goes in, which the plain model does not.
    within = 0.05 if quantize == "int8" else 1e-3
    assert float((found - expected).abs().max()) < within * float(expected.abs().max())
