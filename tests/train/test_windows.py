"""Layers that see a window shorter than a row: packed rows see what they would see alone, in every layer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel

from pipeline.pack.bins import Bins
from pipeline.pack.costs import attention_cost, windowed_cost
from pipeline.train.attention import _by_torch, _segment_by_segment
from pipeline.train.data import collate, collate_alone, segment_bounds
from pipeline.train.isolation import isolate, probe_bins
from pipeline.train.learner import Isolation, Learner
from pipeline.train.windows import Windows

from .conftest import assert_isclose, write_bins
from .test_attention import CPU, norm, tiny

WINDOW = 7
LENGTH = 96
ALTERNATE = {"layer_types": ["sliding_attention", "full_attention"], "head_dim": 16}
EVERY: dict[str, dict[str, Any]] = {
    "mistral": {},
    "phi3": {},
    "gemma2": {**ALTERNATE, "attn_logit_softcapping": None},
    "gemma3_text": ALTERNATE,
    "qwen2": {"use_sliding_window": True, "max_window_layers": 1},
}
OTHERWISE: dict[str, tuple[str, dict[str, Any], Isolation]] = {
    "scores that are capped": ("gemma2", ALTERNATE, "mask"),
    "capped everywhere within a window": ("gemma2", {**ALTERNATE, "layer_types": ["sliding_attention"] * 2}, "mask"),
    "windows by the mask alone": ("phimoe", {"num_local_experts": 2}, "alone"),
    "a key of the configuration that no layer reads": ("llama", {}, "alone"),
    "chunks": ("llama4_text", {"attention_chunk_size": WINDOW, "num_local_experts": 2, "head_dim": 16}, "alone"),
}
"""Layers that do not tell their attention of their window, or ask it for more, or see otherwise."""


def windowed(kind: str, keys: dict[str, Any], *, window: int | None = WINDOW) -> PreTrainedModel:
    attention = "eager" if kind == "gemma2" else "sdpa"
    if "attention_chunk_size" in keys:
        keys = {**keys, "attention_chunk_size": window}
    return tiny(kind, attention, **{**keys, "sliding_window": window})


@pytest.fixture(scope="module")
def rows() -> list[tuple[list[int], list[bool]]]:
    """Of 4 to 39 tokens, most of them longer than the window."""
    draw = np.random.default_rng(0)
    return [
        (draw.integers(0, 90, length).tolist(), [True] * length) for length in [39, 4, 17, 30, 8, 7, 21, 12, 33, 26]
    ]


@pytest.mark.parametrize("kind", EVERY)
def test_packed_rows_see_their_windows(kind: str, rows: list[tuple[list[int], list[bool]]], tmp_path: Path) -> None:
    """Against transformers' own attention and masks on each row by itself."""
    learner = _same(windowed(kind, EVERY[kind]), "bounds", rows, tmp_path)
    assert learner.windows is not None
    assert {*learner.windows.layers} == ({WINDOW} if kind in ("mistral", "phi3") else {WINDOW, None})


@pytest.mark.parametrize("why", OTHERWISE)
def test_what_is_not_packed_within_bounds_sees_its_windows_too(
    why: str, rows: list[tuple[list[int], list[bool]]], tmp_path: Path
) -> None:
    kind, keys, way = OTHERWISE[why]
    _same(windowed(kind, keys), way, rows, tmp_path)


@pytest.mark.parametrize(("kind", "way"), [("mistral", "mask"), ("qwen2", "mask"), ("gemma3_text", "alone")])
def test_every_way_sees_the_windows(
    kind: str, way: Isolation, rows: list[tuple[list[int], list[bool]]], tmp_path: Path
) -> None:
    """Where bounds cannot be had: in float32 on a GPU."""
    learner = Learner(windowed(kind, EVERY[kind])).eval()
    learner.windows = Windows.of(learner.plain.config, LENGTH)
    learner.isolation = way
    _compare(learner, rows, tmp_path)


def _same(model: PreTrainedModel, way: Isolation, rows: Any, folder: Path) -> Learner:
    learner = Learner(model).eval()
    assert isolate(learner, vocab_size=90, length=LENGTH, device=CPU, dtype=torch.float32) == way
    _compare(learner, rows, folder)
    return learner


def _compare(learner: Learner, rows: Any, folder: Path) -> None:
    """Logits, loss and gradients of packed rows with those of plain transformers on rows by themselves."""
    write_bins(folder, rows, length=LENGTH)
    bins = Bins.open(folder)
    packed = [bins.get(number) for number in range(len(bins))]
    assert len(packed) < len(rows)
    model = learner.plain
    way = model.config._attn_implementation
    if learner.isolation == "bounds":
        model.set_attn_implementation("eager" if model.config.model_type == "gemma2" else "sdpa")
    alone, own = [], torch.zeros(())
    for ids, _ in rows:
        logits = model(input_ids=torch.tensor([ids])).logits[0]
        own = own + cross_entropy(logits[:-1], torch.tensor(ids[1:]), reduction="sum")
        alone.append(logits.detach())
    own.backward()
    wanted = {name: one.grad.clone() for name, one in model.named_parameters() if one.grad is not None}
    model.set_attn_implementation(way)
    learner.find_head(probe_bins(90))
    model.zero_grad()
    batch = collate_alone(packed, pad=0) if learner.isolation == "alone" else collate(packed, length=LENGTH, pad=0)
    loss = learner(batch)
    loss.backward()
    assert_isclose(float(loss.detach()), float(own.detach()))
    assert_isclose(norm({name: one.grad for name, one in model.named_parameters()}), norm(wanted))
    with torch.no_grad():
        logits = learner(batch, logits=True)
    begins = [(b, int(start)) for b, one in enumerate(packed) for start in one.starts]
    if learner.isolation == "alone":
        begins = [(row, 0) for row in range(len(rows))]
    for (b, start), expected in zip(begins, alone, strict=True):
        torch.testing.assert_close(logits[b, start : start + len(expected)], expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", [*EVERY, "phimoe", "llama4_text"])
def test_a_window_makes_a_difference(kind: str) -> None:
    """Else nothing above would tell whether it is kept to."""
    keys = EVERY.get(kind) or {"num_local_experts": 2, **({"attention_chunk_size": 1} if kind[-1] == "t" else {})}
    tokens = {"input_ids": torch.arange(39)[None]}
    with torch.no_grad():
        narrow, wide = (windowed(kind, keys, window=window)(**tokens).logits[0] for window in (WINDOW, 64))
    torch.testing.assert_close(narrow[:WINDOW], wide[:WINDOW], rtol=0, atol=1e-6)
    assert float((narrow[-1] - wide[-1]).abs().max()) > 1e-4


def test_a_window_that_hides_nothing_is_none() -> None:
    for length, windows in ((WINDOW, (None, None)), (WINDOW + 1, (None, WINDOW))):
        found = Windows.of(windowed("qwen2", EVERY["qwen2"]).config, length)
        assert found is not None
        assert found.layers == windows
    unused = Windows.of(tiny("qwen2", use_sliding_window=False, sliding_window=WINDOW).config, LENGTH)
    assert unused is not None
    assert not any(unused.layers)


@pytest.mark.parametrize("window", [1, 5, 300, 700])
def test_blocks_of_queries_are_the_whole_mask(window: int) -> None:
    """Of segments longer than a block, of shorter ones, and of the end of one that began on another rank."""
    draw = torch.Generator().manual_seed(0)
    query, key, value = (torch.randn(900, heads, 8, generator=draw, dtype=torch.float64) for heads in (4, 2, 2))
    segments = torch.repeat_interleave(torch.arange(3), torch.tensor([640, 20, 240]))[None]
    for begin, end in ((0, 900), (300, 650), (650, 900)):
        bounds = segment_bounds(segments, begin=begin, end=end)[0, :, 0]
        found = _segment_by_segment(query[begin:end], key, value, bounds, None, 0.0, window)
        scores = torch.einsum("qhd,khd->hqk", query, key.repeat_interleave(2, dim=1)) / 8**0.5
        at = torch.arange(900)
        hidden = (at[:, None] < at) | (at[:, None] - at >= window) | (segments[0, :, None] != segments[0])
        weights = scores.masked_fill(hidden, float("-inf")).softmax(-1)
        wanted = torch.einsum("hqk,khd->qhd", weights, value.repeat_interleave(2, dim=1))
        torch.testing.assert_close(found, wanted[begin:end])


def test_flash_attention_is_told_the_tokens_before_the_query() -> None:
    """torch counts those on the left, transformers the query as well; a stand-in for the kernel, which runs on CUDA."""
    told = []

    def kernel(*tensors: Any, scale: Any = None, window_size: Any = (-1, -1), enable_gqa: bool = False) -> Any:
        told.append(window_size)
        return tensors[0]

    one, bounds = torch.zeros(4, 2, 8), torch.tensor([[0, 4], [0, 4]], dtype=torch.int32)
    for window in (WINDOW, None):
        _by_torch(kernel)(one, one, one, bounds, None, 0.0, window)
    assert told == [(WINDOW - 1, 0), (-1, 0)]


def test_a_row_costs_what_the_layers_see() -> None:
    lengths, first = np.array([39, 4, 17]), np.array([0, 2, 3])
    # As length² is of a triangle: twice the pairs of query and key, without the diagonal's surplus.
    twice = [2 * sum(min(at + 1, WINDOW) for at in range(length)) - min(length, WINDOW) for length in lengths]
    found = windowed_cost(lengths, first, {WINDOW: 2})
    assert found.tolist() == [twice[0] + twice[1], twice[2]]
    whole = attention_cost(lengths, first)
    assert windowed_cost(lengths, first, {None: 3}).tolist() == whole.tolist()
    assert windowed_cost(lengths, first, {None: 1, WINDOW: 1}).tolist() == ((found + whole) // 2).tolist()
