"""The certificate: its numbers are those of the bins, counted one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.pack.binpack import best_fit_decreasing
from pipeline.pack.bounds import best_bound
from pipeline.pack.certificate import Certificate
from pipeline.pack.costs import RANKS, attention_cost, slowest
from pipeline.pack.layout import BinLayout
from pipeline.pack.slices import Slices


@given(
    lengths=st.lists(st.integers(1, 24), min_size=1, max_size=60),
    multiple=st.sampled_from([1, 2, 3, 4, 8]),
    seed=st.integers(0, 9),
)
@settings(deadline=None, max_examples=100)
def test_numbers_are_those_of_the_bins(lengths: list[int], multiple: int, seed: int) -> None:
    taken = np.array(lengths)
    rounded = -(-taken // multiple)
    packing = best_fit_decreasing(rounded, 24 // multiple)
    plan = BinLayout.shuffled(packing, Slices.fronts(np.arange(len(taken)) + 100, taken), seed=seed)
    bound = best_bound(rounded, 24 // multiple)
    said = Certificate.of(lengths=plan.lengths, first=plan.first, seq_length=24, bound=bound, targets=7)
    bins = [plan.part(number, number + 1) for number in range(plan.bins)]
    assert sorted(row for one in bins for row in one.rows.tolist()) == list(range(100, 100 + len(taken)))
    assert all((taken[one.rows - 100] == one.lengths).all() for one in bins)
    assert all(sum(-(-length // multiple) * multiple for length in one.lengths.tolist()) <= 24 for one in bins)
    assert said.bins == len(bins)
    assert said.gap == len(bins) - bound.bins >= 0
    assert said.proved_by == bound.proved_by
    assert said.efficiency == pytest.approx(sum(lengths) / (24 * len(bins)))
    assert said.target_efficiency == pytest.approx(7 / (24 * len(bins)))
    costs = attention_cost(plan.lengths, plan.first)
    assert costs.tolist() == [sum(length**2 for length in one.lengths.tolist()) for one in bins]
    assert said.slowest["balanced"] >= 1


def test_the_slowest_rank_of_eight() -> None:
    step = [1, 1, 1, 1, 1, 1, 1, 9]  # mean 2
    assert slowest(np.array([*step, *[5] * RANKS, 100])) == pytest.approx((4.5 + 1) / 2)
    assert slowest(np.array([3] * (RANKS - 1))) == 1.0


def test_no_bins() -> None:
    none = np.empty(0, np.int64)
    said = Certificate.of(lengths=none, first=np.zeros(1, np.int64), seq_length=8, bound=best_bound(none, 8), targets=0)
    assert (said.bins, said.lower_bound, said.gap, said.efficiency) == (0, 0, 0, 0.0)
