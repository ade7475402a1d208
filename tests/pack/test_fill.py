"""Filling: a packing like any other, never worse than best-fit decreasing; and a bound that holds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from pipeline.pack.binpack import best_fit_decreasing, lower_bound
from pipeline.pack.bounds import best_bound, dual_bound
from pipeline.pack.fill import pack_lengths

from .test_binpack import _optimum, bins_of, instances


@given(instances())
@settings(deadline=None, max_examples=300)
def test_every_item_lies_in_one_bin_and_no_bin_overflows(instance: tuple[list[int], int]) -> None:
    lengths, capacity = np.array(instance[0], np.int64), instance[1]
    bins = bins_of(pack_lengths(lengths, capacity))
    assert sorted(item for one in bins for item in one) == list(range(len(lengths)))
    assert all(0 < int(lengths[one].sum()) <= capacity for one in bins)
    assert best_bound(lengths, capacity) <= len(bins) <= best_fit_decreasing(lengths, capacity).bins


@given(instances(most=7))
@settings(deadline=None, max_examples=150)
def test_no_bound_exceeds_the_optimum(instance: tuple[list[int], int]) -> None:
    lengths, capacity = instance
    assert best_bound(np.array(lengths, np.int64), capacity) <= _optimum(lengths, capacity)


def test_the_dual_bound_sees_that_few_of_like_length_fit() -> None:
    lengths = np.full(90, 27)  # two fit into 80, where by their sum 2.96 would
    assert lower_bound(lengths, 80) < dual_bound(lengths, 80) == best_fit_decreasing(lengths, 80).bins == 45


@pytest.mark.parametrize("seed", range(3))
def test_lengths_that_are_alike_are_filled_better(seed: int) -> None:
    lengths = np.random.default_rng(seed).integers(90, 130, 3000)
    greedy, filled = best_fit_decreasing(lengths, 512), pack_lengths(lengths, 512)
    assert best_bound(lengths, 512) <= filled.bins < greedy.bins
    # Equal input, equal packing.
    assert np.array_equal(pack_lengths(lengths, 512).items, filled.items)
