"""The batch of a step is a function of (bins, seed, step), and every target is learnt once an epoch."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.pack.bins import Bins
from pipeline.train.data import IGNORED, bins_of_step, collate, micro_batches

from .conftest import write_bins


@given(
    num_bins=st.integers(1, 40), global_batch=st.integers(1, 9), seed=st.integers(0, 2**63), epochs=st.integers(1, 3)
)
def test_every_bin_comes_once_in_each_epoch(num_bins: int, global_batch: int, seed: int, epochs: int) -> None:
    steps = num_bins * epochs  # this many steps are `global_batch * epochs` whole epochs
    entries = [
        n for step in range(steps) for n in bins_of_step(num_bins, step=step, seed=seed, global_batch=global_batch)
    ]
    for at in range(0, len(entries), num_bins):
        assert sorted(entries[at : at + num_bins]) == list(range(num_bins))


def test_the_order_depends_on_seed_and_epoch() -> None:
    def epoch(number: int, seed: int) -> list[int]:
        return bins_of_step(50, step=number, seed=seed, global_batch=50)

    orders = [epoch(0, 0), epoch(1, 0), epoch(0, 1), list(range(50))]
    assert len({tuple(order) for order in orders}) == 4
    # Fixed for ever: the raw words of Philox are numpy's promise.
    assert bins_of_step(8, step=0, seed=0, global_batch=8) == [0, 2, 1, 5, 4, 3, 6, 7]


@pytest.mark.parametrize(("world", "micro_batch"), [(1, 1), (1, 4), (2, 1), (2, 2), (4, 1)])
def test_ranks_and_micro_batches_share_out_the_same_step(world: int, micro_batch: int, bins: Bins) -> None:
    shared = [
        batch
        for rank in range(world)
        for batch in micro_batches(
            bins, step=3, seed=1, global_batch=4, micro_batch=micro_batch, rank=rank, world=world, length=16, pad=0
        )
    ]
    whole = collate(bins, bins_of_step(len(bins), step=3, seed=1, global_batch=4), length=16, pad=0)
    assert Counter(row for batch in shared for row in batch.rows) == Counter(whole.rows)
    assert sum(batch.num_targets for batch in shared) == whole.num_targets
    assert all(len(batch.tokens) == micro_batch for batch in shared)


def test_labels_are_shifted_within_each_example_and_padding_is_a_segment_of_its_own(tmp_path: Path) -> None:
    write_bins(tmp_path, [([7, 8, 9], [False, True, True]), ([5, 6], [True, True])], length=8)
    batch = collate(Bins.open(tmp_path), [0], length=8, pad=2)
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
    batch = collate(Bins.open(tmp_path), [0], length=4, pad=2)
    assert batch.segments.tolist() == [[0, 0, 1, 1]]
    assert batch.labels.tolist() == [[8, IGNORED, 6, IGNORED]]


@pytest.fixture
def bins(tmp_path: Path) -> Bins:
    generator = np.random.default_rng(0)
    found = []
    for _ in range(40):
        length = int(generator.integers(1, 16))
        found.append((generator.integers(0, 99, length).tolist(), (generator.random(length) < 0.5).tolist()))
    write_bins(tmp_path, found, length=16)
    return Bins.open(tmp_path)
