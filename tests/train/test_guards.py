"""A spike is told by what went before it, early stopping by the best so far, and the worst rows are found by name."""

from __future__ import annotations

import random
import threading

import pytest
import torch

from pipeline.config import Spikes, Validation
from pipeline.train.guards import spike_threshold, stalled, worst_rows
from pipeline.train.parallel import Ranks
from pipeline.train.setup import setup
from pipeline.train.watching import observer_of

from .conftest import MakeRun

ALONE = Ranks(0, 1, torch.device("cpu"))


def test_noise_is_no_spike_and_a_jump_is_one_even_after_another() -> None:
    noise = random.Random(0)
    losses = [3.0 - step / 200 + noise.gauss(0, 0.05) for step in range(200)]
    spikes = Spikes(window=50)
    assert spike_threshold(losses[:4], spikes) is None  # too few to say anything
    quiet = [step for step in range(5, 200) if losses[step] > (spike_threshold(losses[:step], spikes) or 0)]
    assert quiet == []
    threshold = spike_threshold(losses, spikes)
    assert threshold is not None
    assert losses[-1] < threshold < losses[-1] + 1
    again = spike_threshold([*losses, 9.0, 9.0], spikes)
    assert again is not None
    assert again < 4  # two spikes among fifty do not hide a third
    assert spike_threshold([2.0] * 50, spikes) == pytest.approx(2.12)  # a flat curve has some play


@pytest.mark.parametrize(
    ("losses", "stops"),
    [
        ([3.0, 2.0, 1.0], False),
        ([1.0, 2.0], False),
        ([1.0, 2.0, 2.0], True),
        ([3.0, 1.0, 2.0, 1.0], True),  # equal is no new best
        ([3.0, 1.0, 2.0, 0.9], False),
        ([], False),
        ([float("inf"), float("inf"), float("inf")], True),
    ],
)
def test_patience_counts_validations_without_a_new_best(losses: list[float], stops: bool) -> None:
    assert stalled(losses, Validation(patience=2)) is stops
    assert not stalled(losses, Validation())
    assert stalled([1.0, 0.95, 0.91], Validation(patience=2, min_delta=0.1))


def test_the_row_that_the_model_cannot_know_comes_first(make_run: MakeRun) -> None:
    training = setup(*make_run(), ALONE)
    observer = observer_of(training, threading.Event())
    bins = observer.bins_of(0)
    strange = bins[2]
    number = len(strange.rows) // 2
    begin, end = int(strange.starts[number]), int(strange.starts[number + 1])
    tokens, rare = strange.tokens.copy(), max(int(one.tokens.max()) for one in bins) + 1
    tokens[begin:end] = rare
    bins[2] = strange._replace(tokens=tokens)
    rows = worst_rows(
        bins,
        loss=lambda batch: (batch.tokens == rare).sum(),  # what the model would say, without its noise
        collate=observer.collate,
        ranks=ALONE,
        share=0,
        most=5,
    )
    observer.close()
    assert rows[0].id == strange.rows[number]
    assert rows[0].loss > 0 == rows[1].loss
    assert rows[0].target_tokens == int(strange.loss[begin + 1 : end].sum())
    assert {row.id for row in rows} <= set(strange.rows)
