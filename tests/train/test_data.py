"""Micro batches: shared out the same over any ranks, labels shifted within examples, padding never learnt."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from pipeline.pack.bins import Bins
from pipeline.pack.epochs import EpochBins
from pipeline.train.data import IGNORED, collate, micro_batches
from pipeline.train.order import Order

from .conftest import write_bins


@pytest.mark.parametrize(("world", "micro_batch"), [(1, 1), (1, 4), (2, 1), (2, 2), (4, 1)])
def test_ranks_and_micro_batches_share_out_the_same_step(world: int, micro_batch: int, bins: Bins) -> None:
    epochs, order = EpochBins(bins, seed=1), Order(np.arange(len(bins)), seed=1, global_batch=4)
    shared = [
        batch
        for rank in range(world)
        for batch in micro_batches(
            epochs, order, step=13, micro_batch=micro_batch, rank=rank, world=world, length=16, pad=0
        )
    ]
    whole = collate([epochs.get(number, epoch) for epoch, number in order.step(13)], length=16, pad=0)
    assert Counter(row for batch in shared for row in batch.rows) == Counter(whole.rows)
    assert sum(batch.num_targets for batch in shared) == whole.num_targets
    assert all(len(batch.tokens) == micro_batch for batch in shared)


def test_labels_are_shifted_within_each_example_and_padding_is_a_segment_of_its_own(tmp_path: Path) -> None:
    write_bins(tmp_path, [([7, 8, 9], [False, True, True]), ([5, 6], [True, True])], length=8)
    batch = collate([Bins.open(tmp_path).get(0)], length=8, pad=2)
    x = IGNORED
    assert batch.tokens.tolist() == [[7, 8, 9, 5, 6, 2, 2, 2]]
    # 5 begins an example: it is nobody's label, though its loss mask is set. 9 and 6 end one: they have no label.
    assert batch.labels.tolist() == [[8, 9, x, 6, x, x, x, x]]
    assert batch.positions.tolist() == [[0, 1, 2, 0, 1, 0, 1, 2]]
    assert batch.segments.tolist() == [[0, 0, 0, 1, 1, 2, 2, 2]]
    assert batch.rows == ("s/file#0", "s/file#1")
    assert (batch.num_tokens, batch.num_targets) == (5, 3)


def test_a_full_bin_has_no_padding(tmp_path: Path) -> None:
    write_bins(tmp_path, [([7, 8], [True, True]), ([5, 6], [False, True])], length=4)
    batch = collate([Bins.open(tmp_path).get(0)], length=4, pad=2)
    assert batch.segments.tolist() == [[0, 0, 1, 1]]
    assert batch.labels.tolist() == [[8, IGNORED, 6, IGNORED]]


def test_examples_begin_at_multiples_where_they_must(tmp_path: Path) -> None:
    write_bins(tmp_path, [([7, 8, 9], [False, True, True]), ([5, 6, 4, 3, 1], [True] * 5)], length=16)
    batch = collate([Bins.open(tmp_path).get(0)], length=16, pad=2, multiple=4)
    x = IGNORED
    # NeMo AutoModel, context parallel of 2: examples of 3 and 5 tokens take 4 and 12 of 16 slots.
    assert batch.tokens.tolist() == [[7, 8, 9, 2, 5, 6, 4, 3, 1, *[2] * 7]]
    assert batch.labels.tolist() == [[8, 9, x, x, 6, 4, 3, 1, x, *[x] * 7]]
    assert batch.positions.tolist() == [[0, 1, 2, 3, 0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3]]
    assert batch.segments.tolist() == [[0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2]]


@pytest.fixture
def bins(tmp_path: Path) -> Bins:
    generator = np.random.default_rng(0)
    found = []
    for _ in range(40):
        length = int(generator.integers(1, 16))
        found.append((generator.integers(0, 99, length).tolist(), (generator.random(length) < 0.5).tolist()))
    write_bins(tmp_path, found, length=16)
    return Bins.open(tmp_path)
