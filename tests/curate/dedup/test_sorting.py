"""Sorting and looking up agree with numpy's own ways, at the edges of what fits 32 bits too."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.curate.dedup.sorting import distinct, each_pair_once, order_of, places_in

NUMBERS = st.lists(st.one_of(st.integers(0, 5), st.integers(2**32 - 2, 2**32 + 2), st.integers(0, 2**62)), max_size=30)


@given(first=NUMBERS, second=NUMBERS)
def test_pairs_come_in_order(first: list[int], second: list[int]) -> None:
    count = min(len(first), len(second))
    a, b = np.array(first[:count], np.int64), np.array(second[:count], np.int64)
    order = order_of(a, b)
    assert sorted(order.tolist()) == list(range(count))
    assert list(zip(a[order].tolist(), b[order].tolist(), strict=True)) == sorted(zip(first, second, strict=False))


@pytest.mark.parametrize("largest", [2**32 - 1, 2**32])
def test_the_largest_that_fits_half_a_key(largest: int) -> None:
    a, b = np.array([largest, 0, largest, 1]), np.array([0, largest, largest, 0])
    order = order_of(a, b)
    assert order.tolist() == [1, 3, 0, 2]


@given(pairs=st.lists(st.tuples(st.integers(0, 3), st.one_of(st.integers(0, 3), st.just(2**40)), st.integers(0, 9))))
def test_every_pair_once(pairs: list[tuple[int, int, int]]) -> None:
    third = {(first, second): number for first, second, number in pairs}  # what a pair is known by decides the rest
    columns = np.array([(*pair, third[pair]) for pair in ((first, second) for first, second, _ in pairs)], np.int64)
    found = each_pair_once(columns.reshape(-1, 3).T)
    assert found.T.tolist() == [[*pair, third[pair]] for pair in sorted(third)]


@given(numbers=st.lists(st.one_of(st.integers(0, 9), st.integers(0, 99), st.integers(0, 2**62)), max_size=40))
def test_distinct_numbers_and_their_places(numbers: list[int]) -> None:
    found, place = distinct(np.array(numbers, np.int64))
    assert found.tolist() == sorted(set(numbers))
    assert found[place].tolist() == numbers


@given(numbers=st.sets(st.integers(-(2**62), 2**62), max_size=30), asked=st.lists(st.integers(-(2**62), 2**62)))
def test_places_are_those_of_a_binary_search(numbers: set[int], asked: list[int]) -> None:
    ordered, wanted = np.array(sorted(numbers), np.int64), np.array([*asked, *numbers], np.int64)
    assert places_in(ordered, wanted).tolist() == np.searchsorted(ordered, wanted).tolist()


@given(numbers=st.lists(st.integers(-9, 9), max_size=9), asked=st.lists(st.integers(-12, 12), max_size=40))
def test_places_among_numbers_that_lie_close(numbers: list[int], asked: list[int]) -> None:
    ordered, wanted = np.array(sorted(numbers), np.int64), np.array(asked, np.int64)
    assert places_in(ordered, wanted).tolist() == np.searchsorted(ordered, wanted).tolist()
