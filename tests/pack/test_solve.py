"""Solving: a packing like any other, never worse than best-fit decreasing, and as near its bound as is possible."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from pipeline.pack.binpack import best_fit_decreasing, lower_bound
from pipeline.pack.bounds import best_bound
from pipeline.pack.columns import generate
from pipeline.pack.fill import filled
from pipeline.pack.rounding import rounded
from pipeline.pack.solve import pack_lengths

from .test_binpack import _optimum, bins_of, instances


@given(instances())
@settings(deadline=None, max_examples=300)
def test_every_item_lies_in_one_bin_and_no_bin_overflows(instance: tuple[list[int], int]) -> None:
    lengths, capacity = np.array(instance[0], np.int64), instance[1]
    packing, bound = pack_lengths(lengths, capacity)
    bins = bins_of(packing)
    assert sorted(item for one in bins for item in one) == list(range(len(lengths)))
    assert all(0 < int(lengths[one].sum()) <= capacity for one in bins)
    assert bound.bins <= len(bins) <= best_fit_decreasing(lengths, capacity).bins
    assert best_bound(lengths, capacity).bins <= bound.bins


@given(instances())
@settings(deadline=None, max_examples=60)
def test_every_way_packs_all_items_and_equal_ones_in_their_order(instance: tuple[list[int], int]) -> None:
    lengths, capacity = np.array(instance[0] or [1], np.int64), instance[1]
    count = np.bincount(lengths, minlength=capacity + 1).astype(np.int64)
    size = np.flatnonzero(count)[::-1].copy()
    columns = generate(size, count[size], capacity, known=0, work=10**9)
    bound = best_bound(lengths, capacity).bins
    assert columns is not None
    for fillings in (filled(count), rounded(columns, size, count[size], capacity, bound=bound, work=10**6)):
        packing = fillings.deal(lengths, count)
        assert sorted(packing.items.tolist()) == list(range(len(lengths)))
        assert packing.bins == fillings.bins
        assert all(0 < int(lengths[one].sum()) <= capacity for one in bins_of(packing))
        for length in size:
            mine = packing.items[lengths[packing.items] == length]
            assert (np.diff(mine) > 0).all()


@given(instances(most=7))
@settings(deadline=None, max_examples=150)
def test_no_bound_exceeds_the_optimum(instance: tuple[list[int], int]) -> None:
    lengths, capacity = instance
    optimum = _optimum(lengths, capacity)
    packing, bound = pack_lengths(np.array(lengths, np.int64), capacity)
    assert bound.bins <= optimum <= packing.bins


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("low", "high", "rows"), [(90, 130, 3000), (57, 160, 700), (150, 300, 900)])
def test_lengths_that_are_alike_end_at_the_bound(seed: int, low: int, high: int, rows: int) -> None:
    lengths = np.random.default_rng(seed).integers(low, high, rows)
    (packing, bound), greedy = pack_lengths(lengths, 512), best_fit_decreasing(lengths, 512)
    assert packing.bins - bound.bins <= 0.001 * bound.bins < greedy.bins - lower_bound(lengths, 512)
    # Equal input, equal packing.
    assert np.array_equal(pack_lengths(lengths, 512).packing.items, packing.items)


def test_what_would_be_too_much_work_is_left_alone() -> None:
    lengths = np.arange(1, 3000, dtype=np.int64)
    assert generate(lengths, np.ones_like(lengths), 4096, known=0, work=10**9) is None
