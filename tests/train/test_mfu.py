"""FLOPs of a step against counts by hand; GPUs by whole words of their names."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from pipeline.train.mfu import model_flops, named_peak

WIDTH, INNER, LAYERS, HEADS, KEYS, VOCAB = 16, 40, 3, 4, 2, 100
A_LAYER = WIDTH * WIDTH * 2 + WIDTH * WIDTH * KEYS // HEADS * 2 + 3 * WIDTH * INNER
HEAD = WIDTH * VOCAB


def llama() -> LlamaForCausalLM:
    config = LlamaConfig(
        hidden_size=WIDTH,
        intermediate_size=INNER,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=KEYS,
        vocab_size=VOCAB,
    )
    models: Any = AutoModelForCausalLM
    return models.from_config(config)  # type: ignore[no-any-return]


def test_full_training_needs_six_flops_a_weight_and_the_head_for_targets_alone() -> None:
    flops = model_flops(llama())
    assert flops is not None
    assert flops.of_step(tokens=1, targets=0, squares=0) == 6 * LAYERS * A_LAYER
    assert flops.of_step(tokens=0, targets=1, squares=0) == 6 * HEAD
    assert flops.of_step(tokens=0, targets=0, squares=1) == 6 * LAYERS * WIDTH


def test_frozen_weights_need_no_gradient_of_their_own() -> None:
    adapted = get_peft_model(llama(), LoraConfig(r=2, target_modules="all-linear"))
    flops = model_flops(adapted)
    assert flops is not None
    adapters = sum(one.numel() for one in adapted.parameters() if one.requires_grad)
    assert flops.of_step(tokens=1, targets=0, squares=0) == 4 * LAYERS * A_LAYER + 6 * adapters
    assert flops.of_step(tokens=0, targets=1, squares=0) == 4 * HEAD


@pytest.mark.parametrize(
    ("name", "tflops"),
    [
        ("NVIDIA A100-SXM4-80GB", 312),
        ("NVIDIA H100 80GB HBM3", 989),
        ("NVIDIA H100 NVL", 835),
        ("NVIDIA H100 PCIe", 756),
        ("NVIDIA H200", 989),
        ("NVIDIA GH200 480GB", 989),
        ("NVIDIA L40S", 362),
        ("NVIDIA L40", 181),
        ("NVIDIA L4", 121),
        ("Tesla T4", 65),
        ("NVIDIA T400 4GB", None),
    ],
)
def test_a_gpu_is_known_by_whole_words(name: str, tflops: float | None) -> None:
    assert named_peak(name, torch.bfloat16) == (tflops and tflops * 1e12)
