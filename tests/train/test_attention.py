"""A row in a bin is learnt as if it were alone, by whichever way a model keeps its rows apart."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from pipeline.errors import StageError
from pipeline.pack.bins import Bins
from pipeline.train.attention import _by_torch, _segment_by_segment, block_causal_mask
from pipeline.train.data import IGNORED, collate, collate_alone, segment_bounds
from pipeline.train.isolation import isolate, probe_bins
from pipeline.train.learner import Isolation, Learner

from .conftest import TINY_LLAMA, assert_isclose, write_bins

CPU = torch.device("cpu")
FAMILIES = ["llama", "qwen3", "gemma", "phi", "gpt_neox"]


def tiny(kind: str = "llama", attention: str = "sdpa", **keys: Any) -> PreTrainedModel:
    torch.manual_seed(0)
    config = AutoConfig.for_model(**{**TINY_LLAMA, "model_type": kind, "vocab_size": 90, "pad_token_id": None, **keys})
    made: PreTrainedModel = AutoModelForCausalLM.from_config(config, dtype=torch.float32, attn_implementation=attention)
    return made.eval()


def probed(model: PreTrainedModel) -> Isolation:
    return isolate(Learner(model), vocab_size=90, length=32, device=CPU, dtype=torch.float32)


def patched(change: Callable[[dict[str, Any]], dict[str, Any]]) -> PreTrainedModel:
    model = tiny()
    for module in (model, model.base_model):
        own = module.forward
        module.forward = lambda own=own, **inputs: own(**change(inputs))
    return model


def ignores_all(inputs: dict[str, Any]) -> dict[str, Any]:
    """As an attention backend that infers boundaries would where it fails to."""
    return {**inputs, "attention_mask": None, "position_ids": None}


def looks_ahead(inputs: dict[str, Any]) -> dict[str, Any]:
    length = inputs["input_ids"].shape[1]
    return {**inputs, "attention_mask": torch.zeros(1, 1, length, length)}


def takes_no_bounds(inputs: dict[str, Any]) -> dict[str, Any]:
    if (mask := inputs.get("attention_mask")) is not None and mask.dtype == torch.int32:
        raise TypeError("what is this?")
    return inputs


def takes_no_mask(inputs: dict[str, Any]) -> dict[str, Any]:
    """As state spaces, and families that make their positions of a mask of two dimensions."""
    if inputs.get("attention_mask") is not None:
        raise RuntimeError("the size of tensor a must match the size of tensor b")
    return inputs


def has_no_memory(inputs: dict[str, Any]) -> dict[str, Any]:
    raise torch.OutOfMemoryError("CUDA out of memory")


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("kind", FAMILIES)
def test_every_family_keeps_to_bounds(kind: str, attention: str) -> None:
    model = tiny(kind, attention).train()
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    learner = Learner(model)
    assert isolate(learner, vocab_size=90, length=32, device=CPU, dtype=torch.float32) == learner.isolation == "bounds"
    assert model.training, "the probe leaves the model as it was"
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_model_that_keeps_to_nothing_is_trained_one_row_at_a_time() -> None:
    assert probed(patched(takes_no_bounds)) == "mask"
    assert probed(patched(ignores_all)) == probed(patched(takes_no_mask)) == "alone"
    with pytest.raises(torch.OutOfMemoryError):  # no matter of packing
        probed(patched(has_no_memory))
    state_space = AutoConfig.for_model("mamba", hidden_size=32, num_hidden_layers=2, state_size=8, vocab_size=90)
    assert probed(AutoModelForCausalLM.from_config(state_space, dtype=torch.float32)) == "alone"
    softcapped = tiny("gemma2", "eager", attn_logit_softcapping=5.0, head_dim=16)
    assert probed(softcapped) == "mask", "an attention that changes scores is the model's own affair"
    assert softcapped.config._attn_implementation == "eager"


@pytest.mark.parametrize("shares_heads", [False, True], ids=["torch 2.11", "torch 2.12"])
def test_flash_attention_with_fewer_heads_of_keys_is_that_of_the_cpu(shares_heads: bool) -> None:
    """torch 2.11 knows no `enable_gqa`; a stand-in for its kernel, which runs on CUDA alone."""
    draw = torch.Generator().manual_seed(0)
    query, key, value = (torch.randn(12, heads, 8, generator=draw) for heads in (4, 2, 2))
    bounds = torch.tensor([[0, 5, 12], [0, 5, 12]], dtype=torch.int32)

    def kernel(q: Any, k: Any, v: Any, cu_q: Any, cu_k: Any, max_q: int, max_k: int, gqa: bool, **words: Any) -> Any:
        assert gqa == shares_heads
        assert (q.shape[1] == k.shape[1]) != gqa
        assert words["window_size"] == (-1, 0)
        return _segment_by_segment(q, k, v, torch.stack([cu_q, cu_k]), words["scale"], 0.0, None)

    def old(*tensors: Any, scale: Any = None, window_size: Any = (-1, -1)) -> Any:
        return kernel(*tensors, gqa=False, scale=scale, window_size=window_size)

    def new(*tensors: Any, scale: Any = None, window_size: Any = (-1, -1), enable_gqa: bool = False) -> Any:
        return kernel(*tensors, gqa=enable_gqa, scale=scale, window_size=window_size)

    attend = _by_torch(new if shares_heads else old)
    wanted = _segment_by_segment(query, key, value, bounds, 0.3, 0.0, None)
    torch.testing.assert_close(attend(query, key, value, bounds, 0.3, 0.0, None), wanted)


def test_a_model_that_sees_the_future_is_not_trained() -> None:
    with pytest.raises(StageError, match="tokens that come later"):
        probed(patched(looks_ahead))


def test_the_mask_lets_a_position_see_the_past_of_its_own_segment() -> None:
    mask = block_causal_mask(torch.tensor([[0, 0, 1, 1]]))
    assert mask.shape == (1, 1, 4, 4)
    assert (mask[0, 0] == 0).int().tolist() == [[1, 0, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 1, 1]]
    assert math.isfinite(float(mask.min()))


def test_bounds_of_a_share_reach_back_to_where_its_first_segment_begins() -> None:
    segments = torch.tensor([[0, 0, 0, 1, 1, 1, 1, 2]])
    assert segment_bounds(segments)[0, :, 0].tolist() == [[0, 3, 7, 8], [0, 3, 7, 8]]
    assert segment_bounds(segments, begin=0, end=4)[0, :, 0].tolist() == [[0, 3, 4], [0, 3, 4]]
    assert segment_bounds(segments, begin=4, end=8)[0, :, 0].tolist() == [[0, 3, 4], [3, 7, 8]]
    both = torch.tensor([[0, 0, 1], [0, 1, 1]])
    assert segment_bounds(both)[0, 0, 0].tolist() == [0, 2, 3, 4, 6]


@pytest.fixture(scope="module")
def rows() -> list[tuple[list[int], list[bool]]]:
    found = []
    for start in range(12):
        ids = [number * 7 % 90 for number in range(start, start + 5 + start % 4)]
        found.append((ids, [index % 3 != 0 for index in range(len(ids))]))
    return found


@pytest.mark.parametrize("kind", FAMILIES)
def test_packed_rows_have_the_logits_the_loss_and_the_gradient_of_rows_alone(
    kind: str, rows: list[tuple[list[int], list[bool]]], tmp_path: Path
) -> None:
    model = tiny(kind)
    write_bins(tmp_path, rows, length=32)
    bins = Bins.open(tmp_path)
    packed = [bins.get(number) for number in range(len(bins))]
    together = collate(packed, length=32, pad=0)
    assert len(bins) < len(rows) == len(together.rows)

    # Each row by itself, with no mask and no positions of ours.
    alone, own = [], torch.zeros(())
    for ids, loss in rows:
        logits = model(input_ids=torch.tensor([ids])).logits[0]
        labels = torch.tensor([t if learnt else IGNORED for t, learnt in zip(ids[1:], loss[1:], strict=True)])
        own = own + cross_entropy(logits[:-1], labels, reduction="sum")
        alone.append(logits)
    own.backward()
    wanted = {name: one.grad.clone() for name, one in model.named_parameters() if one.grad is not None}

    learner = Learner(model)
    learner.find_head(probe_bins(90))
    assert learner.chunked
    for isolation in ("bounds", "mask", "alone"):
        if isolation == "bounds":
            assert isolate(learner, vocab_size=90, length=32, device=CPU, dtype=torch.float32) == "bounds"
        learner.isolation = isolation
        batch = collate_alone(packed, pad=0) if isolation == "alone" else together
        assert batch.num_targets == together.num_targets
        model.zero_grad()
        total = learner(batch)
        total.backward()
        assert_isclose(float(total.detach()), float(own.detach()))
        for name, parameter in model.named_parameters():
            torch.testing.assert_close(parameter.grad, wanted.get(name), rtol=0, atol=2e-5)
        assert_isclose(norm({name: one.grad for name, one in model.named_parameters()}), norm(wanted))
        if isolation != "alone":
            logits = learner(batch, logits=True)
            places = [(b, int(start)) for b, one in enumerate(packed) for start in one.starts]
            for (b, start), expected in zip(places, alone, strict=True):
                torch.testing.assert_close(logits[b, start : start + len(expected)], expected, rtol=0, atol=1e-6)


def norm(gradients: dict[str, Any]) -> float:
    squares = [one.double().square().sum() for one in gradients.values() if one is not None]
    return float(torch.stack(squares).sum().sqrt())


def test_logits_that_are_more_than_a_product_with_the_head_are_taken_whole() -> None:
    for kind, keys in (("cohere", {"logit_scale": 0.5}), ("granite", {"logits_scaling": 4.0})):
        learner = Learner(tiny(kind, **keys))
        learner.find_head(probe_bins(90))
        assert not learner.chunked, kind


def test_dropout_does_not_make_all_logits_be_made() -> None:
    learner = Learner(tiny("gpt2", resid_pdrop=0.5)).train()
    learner.find_head(probe_bins(90))
    assert learner.chunked
    assert learner.training


@pytest.mark.parametrize("experts", [4, 128])
def test_the_rounding_of_experts_is_no_look_at_later_tokens(experts: int) -> None:
    """In what order an expert sums depends on how many tokens it has."""
    keys = {"num_experts": experts, "num_experts_per_tok": 4, "moe_intermediate_size": 32, "head_dim": 16}
    assert probed(tiny("qwen3_moe", hidden_size=128, **keys)) == "bounds"
