"""Bounds: what proves them holds, counted again without the code that made it."""

from __future__ import annotations

from itertools import product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.pack.binpack import best_fit_decreasing, lower_bound
from pipeline.pack.bounds import best_bound, dual_bound, weights_bound
from pipeline.pack.solve import pack_lengths

from .test_binpack import _optimum, instances


def heaviest(lengths: list[int], capacity: int, weights: dict[int, int]) -> int:
    """The most that a bin of some of these items weighs, by trying all."""
    size = sorted(set(lengths))
    ways = product(*(range(min(lengths.count(length), capacity // length) + 1) for length in size))
    loads = ((way, sum(n * length for n, length in zip(way, size, strict=True))) for way in ways)
    return max(
        sum(n * weights.get(length, 0) for n, length in zip(way, size, strict=True))
        for way, load in loads
        if load <= capacity
    )


@given(instances(most=7), st.lists(st.floats(-0.5, 1.5), min_size=7, max_size=7))
@settings(deadline=None, max_examples=150)
def test_any_prices_give_a_bound_that_holds_and_its_weights_prove_it(
    instance: tuple[list[int], int], prices: list[float]
) -> None:
    lengths, capacity = instance
    size = np.array(sorted(set(lengths)), np.int64)
    count = np.array([lengths.count(length) for length in size.tolist()], np.int64)
    bound = weights_bound(size, count, np.array(prices[: len(size)]), capacity)
    assert bound.bins <= _optimum(lengths, capacity)
    total = sum(bound.weights[length] for length in lengths)
    assert not total or bound.bins == -(-total // heaviest(lengths, capacity, bound.weights))


def test_the_dual_bound_sees_that_few_of_like_length_fit() -> None:
    lengths = np.full(90, 27)  # two fit into 80, where by their sum 2.96 would
    assert lower_bound(lengths, 80) < dual_bound(lengths, 80) == best_fit_decreasing(lengths, 80).bins == 45
    assert best_bound(lengths, 80).proved_by == "fekete-schepers"


def test_weights_prove_what_the_other_bounds_do_not() -> None:
    lengths = np.repeat(np.array([58, 31, 23], np.int64), 6)  # 672 in bins of 100, of which none can be full
    packing, bound = pack_lengths(lengths, 100)
    assert bound.proved_by == "weights"
    assert best_bound(lengths, 100).bins < bound.bins == packing.bins
    total = sum(bound.weights[length] for length in lengths.tolist())
    assert bound.bins == -(-total // heaviest(lengths.tolist(), 100, bound.weights))
