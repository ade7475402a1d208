"""The bins of a step are a function of (costs, seed, step): each once an epoch, like costs together."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.train.order import Order


@given(
    costs=st.lists(st.integers(0, 9), min_size=1, max_size=40),
    global_batch=st.integers(1, 60),
    seed=st.integers(0, 2**63),
    epochs=st.integers(1, 3),
)
@settings(deadline=None)
def test_every_bin_comes_once_in_each_epoch(costs: list[int], global_batch: int, seed: int, epochs: int) -> None:
    order = Order(np.array(costs), seed=seed, global_batch=global_batch)
    # Steps as many as bins are `global_batch` whole epochs.
    entries = [entry for step in range(len(costs) * epochs) for entry in order.step(step)]
    for epoch, at in enumerate(range(0, len(entries), len(costs))):
        mine = entries[at : at + len(costs)]
        assert {number for number, _ in mine} == {epoch}
        assert sorted(number for _, number in mine) == list(range(len(costs)))


@given(bins=st.integers(4, 200), global_batch=st.integers(1, 9), seed=st.integers(0, 99))
@settings(deadline=None)
def test_a_step_holds_neighbours_in_cost(bins: int, global_batch: int, seed: int) -> None:
    """Costs 0 … n - 1: a step of one epoch spans its own size, but for the one that reaches round the edges' bins."""
    order = Order(np.random.default_rng(seed).permutation(bins), seed=seed, global_batch=global_batch)
    costs = order._costs
    for step in range(3 * bins // global_batch):
        entries = order.step(step)
        if len({epoch for epoch, _ in entries}) == 1:
            mine = [int(costs[number]) for _, number in entries]
            assert max(mine) - min(mine) < 3 * global_batch


def test_the_order_depends_on_seed_and_epoch() -> None:
    def epoch(number: int, seed: int) -> list[int]:
        return [bin_ for _, bin_ in Order(np.zeros(50), seed=seed, global_batch=5).step(number)]

    orders = [epoch(0, 0), epoch(10, 0), epoch(0, 1), list(range(5))]
    assert len({tuple(order) for order in orders}) == 4
    # Fixed for ever: the raw words of Philox are numpy's promise.
    assert Order(np.arange(8) // 4, seed=0, global_batch=4).step(0) == [(0, 5), (0, 4), (0, 6), (0, 7)]


def test_ranks_hardly_wait_for_one_another() -> None:
    draw = np.random.default_rng(0)
    costs = draw.lognormal(10, 1, 4000).astype(np.int64)

    def slowest(order: Order) -> float:
        steps = [[costs[number] for _, number in order.step(step)] for step in range(2 * 4000 // 8)]
        return float(np.mean([max(step) / np.mean(step) for step in steps]))

    balanced = slowest(Order(costs, seed=0, global_batch=8))
    shuffled = slowest(Order(np.zeros(4000), seed=0, global_batch=8))
    assert shuffled > 2
    assert balanced == pytest.approx(1, abs=0.01)
