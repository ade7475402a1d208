"""A row in a bin is learnt as if it were alone."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy
from transformers import AutoConfig, AutoModelForCausalLM

from pipeline.errors import StageError
from pipeline.pack.bins import Bins
from pipeline.train.attention import block_causal_mask, logits_of, probe_isolation
from pipeline.train.data import IGNORED, collate
from pipeline.train.loop import nll

from .conftest import TINY_LLAMA, assert_isclose, write_bins

CPU = torch.device("cpu")


def tiny(kind: str = "llama", attention: str = "sdpa", **keys: Any) -> torch.nn.Module:
    torch.manual_seed(0)
    config = AutoConfig.for_model(**{**TINY_LLAMA, "model_type": kind, "vocab_size": 90, **keys})
    return AutoModelForCausalLM.from_config(config, dtype=torch.float32, attn_implementation=attention).eval()


class Leaking(torch.nn.Module):
    """Ignores the mask, as an attention backend that infers boundaries would where it fails to."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, **inputs: Any) -> Any:
        return self.model(**{**inputs, "attention_mask": None, "position_ids": None})


class LookingAhead(Leaking):
    def forward(self, **inputs: Any) -> Any:
        # Every position of the own example may be seen, later ones too.
        mask = torch.maximum(inputs["attention_mask"], inputs["attention_mask"].transpose(2, 3))
        return self.model(**{**inputs, "attention_mask": mask})


class Unmasked(Leaking):
    def forward(self, input_ids: torch.Tensor) -> Any:
        return self.model(input_ids=input_ids)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("kind", ["llama", "qwen3", "gpt_neox"])
def test_the_probe_passes_models_that_keep_rows_apart(kind: str, attention: str) -> None:
    model = tiny(kind, attention).train()
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    probe_isolation(model, vocab_size=90, device=CPU)
    assert model.training, "the probe leaves the model as it was"
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize(
    ("wrapper", "message"),
    [(Leaking, "see each other"), (LookingAhead, "see each other"), (Unmasked, "takes no attention mask")],
)
def test_the_probe_stops_models_that_do_not(wrapper: type[Leaking], message: str) -> None:
    model = wrapper(tiny())
    with pytest.raises(StageError, match=message):
        probe_isolation(model, vocab_size=90, device=CPU)
    assert model.training  # as it was


def test_the_mask_lets_a_position_see_the_past_of_its_own_segment() -> None:
    mask = block_causal_mask(torch.tensor([[0, 0, 1, 1]]))
    assert mask.shape == (1, 1, 4, 4)
    assert (mask[0, 0] == 0).int().tolist() == [[1, 0, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 1, 1]]
    assert math.isfinite(float(mask.min()))


@torch.no_grad()
def test_packed_rows_have_the_logits_and_the_loss_of_rows_alone(tmp_path: Path) -> None:
    model = tiny()
    found = []
    for start in range(12):
        ids = [number * 7 % 90 for number in range(start, start + 5 + start % 4)]
        found.append((ids, [index % 3 != 0 for index in range(len(ids))]))
    write_bins(tmp_path, found, length=32)
    bins = Bins.open(tmp_path)
    together = collate([bins.get(number) for number in range(len(bins))], length=32, pad=0)
    assert len(bins) < len(found) == len(together.rows)

    logits = logits_of(model, together)
    total = 0.0
    rows = iter(found)
    for b in range(len(bins)):
        for start in bins.get(b).starts:
            ids, loss = next(rows)
            own = model(input_ids=torch.tensor([ids])).logits[0]  # no mask and no positions of ours
            torch.testing.assert_close(logits[b, start : start + len(ids)], own, rtol=0, atol=1e-6)
            labels = torch.tensor([t if learnt else IGNORED for t, learnt in zip(ids[1:], loss[1:], strict=True)])
            total += float(cross_entropy(own[:-1], labels, reduction="sum"))
    assert_isclose(float(nll(model, together)), total)
