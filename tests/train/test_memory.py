"""What is estimated without weights is what a training then holds."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import AutoConfig

from pipeline.train.memory import GIB, advice, estimate
from pipeline.train.parallel import Ranks
from pipeline.train.setup import setup

from .conftest import TINY_LLAMA, MakeRun

ALONE = Ranks(0, 1, torch.device("cpu"))
WIDE = {**TINY_LLAMA, "hidden_size": 128, "intermediate_size": 384, "num_hidden_layers": 4}


def bytes_of(tensors: Any) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


@pytest.mark.parametrize(
    "change", [{}, {"precision": "bf16"}, {"method": "lora"}, {"activation_checkpointing": "full"}], ids=str
)
def test_the_estimate_is_what_is_held(change: dict[str, Any], make_run: MakeRun) -> None:
    run, recipe = make_run(model={"config": WIDE}, **change)
    training = setup(run, recipe, ALONE)
    engine, model = training.engine, training.engine.learner.model
    config = AutoConfig.for_model(**WIDE, vocab_size=10)
    found = estimate(recipe, config, vocab_size=len(training.tokenizer))
    assert found.parameters == sum(parameter.numel() for parameter in model.parameters())
    assert found.trainable == engine.weights.numel()
    held = {id(one): one for one in (*model.parameters(), *engine.weights.masters.values())}
    assert found.weights == pytest.approx(bytes_of(held.values()), rel=0.01)
    read = training.fresh()  # as `setup` reads it before it is cast or cut
    read_bytes = bytes_of(p for name, p in read.named_parameters() if ".lora_" not in name)
    rounded = bytes_of(one for one in engine.weights.computed.values() if one.dtype == torch.bfloat16)
    assert found.loading == read_bytes + rounded
    assert found.gradients == bytes_of([engine.gradient.flat])  # type: ignore[attr-defined]

    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    batch = training._batches(0)[0]
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = engine.learner(batch)
    measured = sum(size for place, size in kept.items() if place not in weights)
    if change.get("activation_checkpointing") == "full":
        _, off = make_run(name="off", model={"config": WIDE})
        assert found.activations < 0.6 * estimate(off, config).activations
        assert measured < found.activations
    else:
        assert 0.6 < found.activations / measured < 1.8, (found.activations, measured)

    loss.backward()
    engine.optimizer.step()
    moments = [value for state in engine.optimizer.state.values() for kind, value in state.items() if kind != "step"]
    assert found.optimizer == bytes_of(moments)
    assert found.total == sum(
        getattr(found, part) for part in ("weights", "gradients", "optimizer", "activations", "logits", "overhead")
    )


def test_a_model_without_heads_is_estimated_too(make_run: MakeRun) -> None:
    _, recipe = make_run()
    mamba = AutoConfig.for_model("mamba", hidden_size=64, num_hidden_layers=2, state_size=8, vocab_size=300)
    assert estimate(recipe, mamba).activations > 0


def llama_8b() -> Any:
    return AutoConfig.for_model(
        "llama",
        hidden_size=4096,
        intermediate_size=14336,
        num_hidden_layers=32,
        num_attention_heads=32,
        num_key_value_heads=8,
        vocab_size=128256,
    )


def test_an_eight_billion_model_fits_where_it_is_known_to(make_run: MakeRun) -> None:
    """Llama 3 8B: 16 bytes a number and more in full, on one device; an eighth of it over eight."""
    llama = llama_8b()
    _, recipe = make_run(precision="bf16", activation_checkpointing="full")
    alone = estimate(recipe, llama)
    assert 8.0e9 < alone.parameters < 8.1e9
    assert 18 * 8.0e9 < alone.total < 22 * 8.1e9
    assert any("lora" in line for line in advice(alone, recipe, room=80 * GIB))
    assert not advice(alone, recipe, room=400 * GIB)
    _, over = make_run(
        name="over",
        precision="bf16",
        activation_checkpointing="full",
        launch={"nproc": 8},
        parallel={"shard": 8},
        global_batch=8,
    )
    assert estimate(over, llama).total < alone.total / 5
    _, adapters = make_run(name="lora", precision="bf16", method="lora")
    assert estimate(adapters, llama).total < 24 * GIB
    assert estimate(adapters, llama).lines()[-1].startswith("in all")


@pytest.mark.parametrize(("quantize", "least", "most"), [("nf4", 5.1, 5.8), ("int8", 8.6, 9.2), (None, 16.0, 16.2)])
def test_quantised_weights_take_what_their_bits_take(
    quantize: str | None, least: float, most: float, make_run: MakeRun
) -> None:
    """Llama 3 8B: 7.0 thousand millions in linear layers, 1.05 in embedding and head, which stay in 16 bits."""
    _, recipe = make_run(
        precision="bf16", method="lora", lora={"quantize": quantize}, model={"path": "nowhere", "config": None}
    )
    plain, dora = (
        estimate(recipe.model_copy(update={"train": recipe.training.model_copy(update={"lora": lora})}), llama_8b())
        for lora in (recipe.training.lora, recipe.training.lora.model_copy(update={"dora": True}))
    )
    assert least * 1e9 < plain.weights - 6 * plain.trainable < most * 1e9
    outputs = 32 * (4096 * 3 + 1024 * 2 + 14336 * 2)
    assert dora.trainable - plain.trainable == outputs
