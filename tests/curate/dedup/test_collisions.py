"""Rows that share a key: the groups are those of a search by hand, whatever the keys look like."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.curate.dedup.collisions import group_keys

KEYS = st.one_of(
    st.integers(0, 40),  # such that differ in their last bits only
    st.integers(0, 3).map(lambda number: number << 62),
    st.integers(0, 2**64 - 1),
)


def _groups(keys: list[int]) -> list[list[int]]:
    """The positions of every key that occurs more than once, in the order of the keys."""
    places: dict[int, list[int]] = {}
    for place, key in enumerate(keys):
        places.setdefault(key, []).append(place)
    return [places[key] for key in sorted(places) if len(places[key]) > 1]


@given(keys=st.lists(KEYS, max_size=80), first=st.integers(0, 2**40))
def test_groups_are_those_of_a_search_by_hand(keys: list[int], first: int) -> None:
    rows = first + np.arange(len(keys), dtype=np.int64)
    group, row = group_keys(np.array(keys, np.uint64), rows)
    expected = _groups(keys)
    assert group.tolist() == [number for number, places in enumerate(expected) for _ in places]
    assert (row - first).tolist() == [place for places in expected for place in places]


@pytest.mark.parametrize("count", [0, 1, 2, 3, 1 << 10, (1 << 10) + 1])
def test_one_key_of_all_rows(count: int) -> None:
    group, row = group_keys(np.full(count, 2**64 - 1, np.uint64), np.arange(count))
    kept = count if count > 1 else 0
    assert group.tolist() == [0] * kept
    assert row.tolist() == list(range(kept))
