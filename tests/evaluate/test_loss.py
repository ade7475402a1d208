"""Properties: packed = unpacked, whatever the batch; counts are the bins' own; what is not finite stops the stage."""

from __future__ import annotations

import math

import pytest
import torch
from transformers import PreTrainedModel

from pipeline.config import Recipe
from pipeline.errors import StageError
from pipeline.evaluate.loss import SplitLoss, split_loss, target_bytes
from pipeline.pack.bins import Bins
from pipeline.run import RunDirectory
from pipeline.train.model import Tokenizer, load_model, load_tokenizer

CPU = torch.device("cpu")


@pytest.fixture
def tokenizer(run: RunDirectory) -> Tokenizer:
    return load_tokenizer(run.path("tokenizer"))


@pytest.fixture
def model(recipe: Recipe, tokenizer: Tokenizer) -> PreTrainedModel:
    return load_model(recipe.train.model, tokenizer, seed=0, seq_length=recipe.pack.seq_length).eval()


def measure(model: PreTrainedModel, tokenizer: Tokenizer, bins: Bins, recipe: Recipe, batch: int) -> SplitLoss:
    seen: list[int] = []
    loss = split_loss(
        model,
        tokenizer,
        bins,
        batch=batch,
        length=recipe.pack.seq_length,
        device=CPU,
        on_bins=seen.append,
    )
    assert sum(seen) == len(bins)
    return loss


def test_the_loss_is_that_of_each_example_alone(
    run: RunDirectory, recipe: Recipe, model: PreTrainedModel, tokenizer: Tokenizer
) -> None:
    bins = Bins.open(run.path("packed/test"))
    total, targets = 0.0, 0
    for number in range(len(bins)):
        tokens, loss, starts, _ = bins.get(number)
        for first, last in zip(starts, [*starts[1:], len(tokens)], strict=True):
            ids = torch.from_numpy(tokens[first:last].astype("int64"))
            with torch.inference_mode():
                log = model(input_ids=ids[None]).logits[0].log_softmax(-1)
            for at in range(1, last - first):
                if loss[first + at]:
                    total -= float(log[at - 1, ids[at]])
                    targets += 1
    assert targets > 50
    measured = measure(model, tokenizer, bins, recipe, 4)
    assert measured.targets == targets
    assert measured.nll == pytest.approx(total, rel=1e-5)


def test_the_loss_does_not_depend_on_the_batch(
    run: RunDirectory, recipe: Recipe, model: PreTrainedModel, tokenizer: Tokenizer
) -> None:
    bins = Bins.open(run.path("packed/validation"))
    losses = [measure(model, tokenizer, bins, recipe, batch) for batch in (1, 3, 100)]
    assert [loss.nll for loss in losses] == pytest.approx([losses[0].nll] * 3, rel=1e-6)
    assert len({(loss.targets, loss.bytes) for loss in losses}) == 1


def test_bytes_are_those_of_the_answers(run: RunDirectory, tokenizer: Tokenizer) -> None:
    bins = Bins.open(run.path("packed/test"))
    answers = sum(len(f"def add_{n}(x):\n    return x + {n}\n") for n in range(200, 208))
    assert sum(target_bytes(tokenizer, bins, number) for number in range(len(bins))) == answers


def test_a_loss_that_is_not_finite_stops_and_names_the_rows(
    run: RunDirectory, recipe: Recipe, model: PreTrainedModel, tokenizer: Tokenizer
) -> None:
    torch.nn.init.constant_(model.get_output_embeddings().weight, math.nan)
    with pytest.raises(StageError, match="self-check: the loss is nan") as error:
        measure(model, tokenizer, Bins.open(run.path("packed/test")), recipe, 2)
    assert "sums/sums.jsonl#20" in error.value.where


def test_metrics_are_the_field_s_formulas() -> None:
    metrics = SplitLoss(nll=20 * math.log(2), targets=10, bytes=40).metrics()
    assert metrics["loss"] == pytest.approx(2 * math.log(2))
    assert metrics["perplexity"] == pytest.approx(4)
    assert metrics["bits_per_byte"] == pytest.approx(0.5)


def test_where_there_is_nothing_to_measure_there_is_no_number() -> None:
    assert set(SplitLoss(nll=0.0, targets=0, bytes=0).metrics().values()) == {None}
    assert SplitLoss(nll=1e6, targets=1, bytes=1).metrics()["perplexity"] is None  # beyond float64
