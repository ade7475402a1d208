"""Packing: nothing lost, nothing above capacity, near a bound that no packing can beat, and always the same."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.pack.binpack import Packing, best_fit_decreasing, lower_bound


def bins_of(packing: Packing) -> list[list[int]]:
    return [packing.items[first:last].tolist() for first, last in zip(packing.first, packing.first[1:], strict=False)]


@st.composite
def instances(draw: st.DrawFn, most: int = 80) -> tuple[list[int], int]:
    capacity = draw(st.integers(1, 70))
    length = st.one_of(st.sampled_from([1, max(1, capacity - 1), capacity]), st.integers(1, capacity))
    return draw(st.lists(length, max_size=most)), capacity


@given(instances())
@settings(deadline=None, max_examples=300)
def test_every_item_lies_in_one_bin_and_no_bin_overflows(instance: tuple[list[int], int]) -> None:
    lengths, capacity = instance
    bins = bins_of(best_fit_decreasing(np.array(lengths, np.int64), capacity))
    assert sorted(item for one in bins for item in one) == list(range(len(lengths)))
    assert all(0 < sum(lengths[item] for item in one) <= capacity for one in bins)


@given(instances())
@settings(deadline=None, max_examples=300)
def test_equals_best_fit_decreasing_by_its_definition(instance: tuple[list[int], int]) -> None:
    lengths, capacity = instance
    bins: list[list[int]] = []
    free: list[int] = []
    touched: list[int] = []
    for moment, item in enumerate(sorted(range(len(lengths)), key=lambda i: (-lengths[i], i))):
        fitting = [number for number in range(len(bins)) if free[number] >= lengths[item]]
        if fitting:
            # The least free space; of equals the one that has had it for longest.
            chosen = min(fitting, key=lambda number: (free[number], touched[number]))
        else:
            chosen = len(bins)
            bins.append([])
            free.append(capacity)
            touched.append(0)
        bins[chosen].append(item)
        free[chosen] -= lengths[item]
        touched[chosen] = moment
    assert bins_of(best_fit_decreasing(np.array(lengths, np.int64), capacity)) == bins


@given(instances(most=7))
@settings(deadline=None, max_examples=150)
def test_lower_bound_never_exceeds_the_optimum_and_bfd_keeps_its_proved_bound(
    instance: tuple[list[int], int],
) -> None:
    lengths, capacity = instance
    optimum = _optimum(lengths, capacity)
    bins = best_fit_decreasing(np.array(lengths, np.int64), capacity).bins
    assert lower_bound(np.array(lengths, np.int64), capacity) <= optimum <= bins
    assert bins <= 11 / 9 * optimum + 6 / 9


@given(instances())
@settings(deadline=None, max_examples=200)
def test_lower_bound_equals_its_definition(instance: tuple[list[int], int]) -> None:
    lengths, capacity = instance
    best = 0
    for alpha in range(capacity // 2 + 1):
        alone = [length for length in lengths if length > capacity - alpha]
        large = [length for length in lengths if capacity - alpha >= length and 2 * length > capacity]
        small = [length for length in lengths if 2 * length <= capacity and length >= alpha]
        beside = len(large) * capacity - sum(large)
        best = max(best, len(alone) + len(large) + max(0, -(-(sum(small) - beside) // capacity)))
    assert lower_bound(np.array(lengths, np.int64), capacity) == best


@pytest.mark.parametrize(
    ("lengths", "capacity", "expected"),
    [
        ([3, 4, 1], 4, [[1], [0, 2]]),  # TRL bfd: [4,5,6,7], [1,2,3,8]
        ([4, 1, 2, 4, 1], 4, [[0], [3], [2, 1, 4]]),  # TRL bfd_split after its splits: [1-4], [8-11], [6,7,5,12]
        ([4, 2, 4, 1], 4, [[0], [2], [1, 3]]),  # TRL bfd of the same rows, the first cut: [1-4], [8-11], [6,7,12]
        ([4, 2, 3, 3, 4], 4, [[0], [4], [2], [3], [1]]),  # TRL bfd_split of 6, 3, 3, 4: [4], [4], [3], [3], [2]
        ([5, 1, 4, 3], 5, [[0], [2, 1], [3]]),  # TRL bfd, L=5
        ([2, 3, 1], 4, [[1, 2], [0]]),  # TRL with its empty rows left out: [3,4,5,6], [1,2]
        ([1111, 8192, 4096, 1000], 8192, [[1], [2, 0, 3]]),
        ([], 4, []),
    ],
)
def test_golden_values_of_other_packers(lengths: list[int], capacity: int, expected: list[list[int]]) -> None:
    assert bins_of(best_fit_decreasing(np.array(lengths, np.int64), capacity)) == expected


@pytest.mark.parametrize(
    ("mean", "sigma", "capacity"), [(145, 0.8, 2048), (896, 1.0, 4096), (803, 1.0, 2048), (3627, 0.9, 8192)]
)
def test_global_packing_is_within_a_thousandth_of_the_bound(mean: int, sigma: float, capacity: int) -> None:
    draw = np.random.default_rng(mean)
    lengths = np.clip(draw.lognormal(np.log(mean) - sigma**2 / 2, sigma, 50_000), 1, capacity).astype(np.int64)
    bins, bound = best_fit_decreasing(lengths, capacity).bins, lower_bound(lengths, capacity)
    assert bins - bound <= max(1, 0.001 * bound)
    assert lengths.sum() / (bins * capacity) > 0.99


def test_a_million_lengths_are_within_a_thousandth_of_the_bound() -> None:
    """How long ten million take is what `benchmarks/packing.py` prints."""
    draw = np.random.default_rng(0)
    lengths = np.clip(draw.lognormal(np.log(803) - 0.5, 1, 1_000_000), 1, 2048).astype(np.int64)
    packing = best_fit_decreasing(lengths, 2048)
    assert packing.bins - lower_bound(lengths, 2048) <= 0.001 * packing.bins


@pytest.mark.parametrize("length", [0, 9, -1])
def test_a_length_outside_the_bin_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match=r"1 … 8"):
        best_fit_decreasing(np.array([1, length]), 8)


def _optimum(lengths: list[int], capacity: int, open_bins: tuple[int, ...] = ()) -> int:
    """The fewest bins, by trying every assignment; `open_bins` are loads."""
    if not lengths:
        return len(open_bins)
    first, *rest = lengths
    choices = [_optimum(rest, capacity, (*open_bins, first))]
    for number, load in enumerate(open_bins):
        if load + first <= capacity:
            loads = (*open_bins[:number], load + first, *open_bins[number + 1 :])
            choices.append(_optimum(rest, capacity, loads))
    return min(choices)
