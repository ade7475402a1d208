"""Properties: packed = unpacked, whatever the batch; counts are the bins' own; what is not finite stops the stage."""

from __future__ import annotations

import math

import pyarrow as pa
import pytest
import torch
from transformers import PreTrainedModel

from pipeline.config import Recipe
from pipeline.errors import StageError
from pipeline.evaluate.loss import example_losses, isolated, target_bytes
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


def measure(model: PreTrainedModel, tokenizer: Tokenizer, bins: Bins, recipe: Recipe, batch: int) -> pa.Table:
    """`LOSSES` of all bins, by id."""
    learner = isolated(model, tokenizer, CPU, length=recipe.pack.seq_length)
    tables = [
        example_losses(
            learner,
            tokenizer,
            bins,
            range(first, min(first + batch, len(bins))),
            length=recipe.pack.seq_length,
            device=CPU,
        )
        for first in range(0, len(bins), batch)
    ]
    return pa.concat_tables(tables).sort_by("id")


def test_the_loss_is_that_of_each_example_alone(
    run: RunDirectory, recipe: Recipe, model: PreTrainedModel, tokenizer: Tokenizer
) -> None:
    bins = Bins.open(run.path("packed/test"))
    alone: dict[str, tuple[float, int]] = {}
    for number in range(len(bins)):
        tokens, loss, starts, rows = bins.get(number)
        for row, first, last in zip(rows, starts, [*starts[1:], len(tokens)], strict=True):
            total, targets = 0.0, 0
            ids = torch.from_numpy(tokens[first:last].astype("int64"))
            with torch.inference_mode():
                log = model(input_ids=ids[None]).logits[0].log_softmax(-1)
            for at in range(1, last - first):
                if loss[first + at]:
                    total -= float(log[at - 1, ids[at]])
                    targets += 1
            alone[row] = (total, targets)
    assert len(alone) == 8
    for one in measure(model, tokenizer, bins, recipe, 4).to_pylist():
        total, targets = alone.pop(one["id"])
        assert one["targets"] == targets > 5
        assert one["nll"] == pytest.approx(total, rel=1e-5)
    assert not alone


def test_the_loss_does_not_depend_on_the_batch(
    run: RunDirectory, recipe: Recipe, model: PreTrainedModel, tokenizer: Tokenizer
) -> None:
    bins = Bins.open(run.path("packed/validation"))
    losses = [measure(model, tokenizer, bins, recipe, batch) for batch in (1, 3, 100)]
    for other in losses[1:]:
        assert other.drop_columns("nll") == losses[0].drop_columns("nll")
        assert other["nll"].to_pylist() == pytest.approx(losses[0]["nll"].to_pylist(), rel=1e-6)


def test_bytes_are_those_of_the_answers(run: RunDirectory, tokenizer: Tokenizer) -> None:
    bins = Bins.open(run.path("packed/test"))
    for number in range(len(bins)):
        one = bins.get(number)
        answers = [f"def add_{n}(x):\n    return x + {n}\n" for n in (row.rpartition("#")[2] for row in one.rows)]
        assert target_bytes(tokenizer, one) == [len(answer) for answer in answers]


def test_a_loss_that_is_not_finite_stops_and_names_the_rows(
    run: RunDirectory, recipe: Recipe, model: PreTrainedModel, tokenizer: Tokenizer
) -> None:
    torch.nn.init.constant_(model.get_output_embeddings().weight, math.nan)
    with pytest.raises(StageError, match="self-check: the loss is nan") as error:
        measure(model, tokenizer, Bins.open(run.path("packed/test")), recipe, 2)
    assert "sums/sums.jsonl#20" in error.value.where
